"""`python -m hw`."""

from asq_model.common.command_line import run


def main() -> None:
    """Run the commands of `hw.cli`."""
    run("hw.cli", "python -m hw")


if __name__ == "__main__":
    main()
