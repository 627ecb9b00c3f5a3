"""`python -m asq_model`."""

from asq_model.command import run


def main():
    run("asq_model.cli", "asq-model")


if __name__ == "__main__":
    main()
