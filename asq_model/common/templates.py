"""Pages in Markdown and HTML from Jinja2 templates, which lie beside the code that fills them."""

from pathlib import Path


def render_template(path: Path, **values: object) -> str:
    """Fill a template with values; a value that it names and does not get is an error.

    A line that holds only a tag leaves no line behind. The template may include others of its folder.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # it takes longer to load than most commands run

    environment = Environment(
        loader=FileSystemLoader(path.parent),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # what is filled in is Markdown, or HTML made of it
    )
    return environment.get_template(path.name).render(**values)
