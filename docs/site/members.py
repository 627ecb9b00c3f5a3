"""Members of a component, which a docstring lists in numpydoc's form, as a list of the site."""

import re

import griffe

SECTION = re.compile(r"^Members\n-+\n((?:.+\n?)+)", re.MULTILINE)


def list_members(section: re.Match[str]) -> str:
    """Write the lines `name : type`, each with indented ones that explain it, as a list in Markdown."""
    lines = []
    for line in section.group(1).splitlines():
        name, _, kind = line.partition(" : ")
        lines.append(f"    {line.strip()}" if line.startswith(" ") else f"- `{name}`: `{kind}`")
    return "Members:\n\n" + "\n".join(lines) + "\n"


class Members(griffe.Extension):
    """Changes the docstrings as they are read."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = SECTION.sub(list_members, obj.docstring.value)
