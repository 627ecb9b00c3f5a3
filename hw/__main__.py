"""`python -m hw`."""

from asq_model.common.command_line import run


def main() -> None:
    """Run the hardware commands as `asq-hw`."""
    run("hw.cli", "python -m hw")


if __name__ == "__main__":
    main()
