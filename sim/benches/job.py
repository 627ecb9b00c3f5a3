"""The job that the simulator was started for, and where its findings go."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

from asq_model.files import write_json

JOB = json.loads(Path(os.environ["ASQ_JOB"]).read_text())
REPORTED_FAILURES = 5


def record(test: str, found: dict) -> None:
    """Add a test's findings to the job's result file."""
    path = Path(JOB["result"])
    results = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, results | {test: found})


def sometimes(rng: random.Random, probability: float) -> Callable[[], bool]:
    return lambda: rng.random() < probability
