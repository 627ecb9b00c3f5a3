"""`python -m sim`."""

from asq_model.command import run
from sim.cli import cli


def main():
    run(cli, "asq-sim")


if __name__ == "__main__":
    main()
