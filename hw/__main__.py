"""`python -m hw`."""

from asq_model.common.command_line import run


def main():
    run("hw.cli", "asq-hw")


if __name__ == "__main__":
    main()
