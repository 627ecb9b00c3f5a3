from asq_model.command import run
from hw.cli import cli

if __name__ == "__main__":
    run(cli, "asq-hw")
