"""`python -m hw`."""

from asq_model.command import run
from hw.cli import cli


def main():
    run(cli, "asq-hw")


if __name__ == "__main__":
    main()
