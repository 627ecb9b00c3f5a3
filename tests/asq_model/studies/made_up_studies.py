"""Finished studies of a table, with made-up accuracies."""

from dataclasses import asdict

from asq_model.common.cifar10_copy import COPIES
from asq_model.config.recipe import Recipe
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.run_tables import record_of

NETWORK = "resnet8"


def study(correct, table=4, seeds=3):
    """A finished study in which row r with seed s had correct(r, s) of 1000 images right."""
    runs = [
        {
            **record_of(NETWORK, row, seed),
            "correct": correct(row, seed),
            "top_5": 990,
            "images": 1000,
            "stored_bits": row.bits + (row.kind == "extended"),
        }
        for seed in range(seeds)
        for row in TABLES[table].rows
    ]
    start = {"network": NETWORK, "digest": "0" * 64, "correct": 900, "recipe": asdict(Recipe(full_precision_epochs=9))}
    return {
        "table": table,
        "epochs": 2,
        "command": "the command",
        "note": "A note.",
        "data": next(iter(COPIES)),
        "commit": "abc",
        "versions": {"torch": "1"},
        "start": [start],
        "runs": runs,
        "failed": [],
    }


def asq_gains(points):
    """ASQ's rows `points` above the others; seeds one point apart."""
    return lambda row, seed: 800 + 10 * seed + 10 * points * (row.activations == "asq")
