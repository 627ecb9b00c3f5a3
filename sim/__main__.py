"""`python -m sim`."""

from asq_model.common.command_line import run


def main() -> None:
    """Run the commands of `sim.cli`."""
    run("sim.cli", "python -m sim")


if __name__ == "__main__":
    main()
