"""`python -m asq_model`."""

from asq_model.cli import cli
from asq_model.command import run


def main():
    run(cli, "asq-model")


if __name__ == "__main__":
    main()
