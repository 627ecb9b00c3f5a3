"""`python -m asq_model`."""

from asq_model.common.command_line import run


def main() -> None:
    """Run the commands of `asq_model.cli`."""
    run("asq_model.cli", "python -m asq_model")


if __name__ == "__main__":
    main()
