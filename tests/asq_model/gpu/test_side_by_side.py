"""Trainings side by side end as each would alone."""

import sys
from types import SimpleNamespace

import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.gpu import side_by_side
from asq_model.gpu.captured_training import CapturedTraining
from asq_model.gpu.device_queue import DeviceQueue, find_training_device
from asq_model.gpu.side_by_side import Job, take_job, train_side_by_side


def test_runs_side_by_side_are_those_that_run_alone(digits, quantised):
    recipes = [quantised(activations="lsq"), quantised(activations="asq")]
    recipes.append(quantised(full_precision_epochs=3, quantised_epochs=0))
    alone = [next(train_side_by_side([Job(recipe, recipe)], digits, 1)) for recipe in recipes]
    together = {finished.job.what: finished for finished in train_side_by_side([Job(r, r) for r in recipes], digits, 2)}
    assert set(together) == set(recipes)
    for one in alone:
        other = together[one.job.what]
        assert (one.counts, one.train_correct) == (other.counts, other.train_correct)
        for parameter, same in zip(one.training.model.parameters(), other.training.model.parameters(), strict=True):
            assert torch.equal(parameter, same)
    assert alone[-1].counts[0] > 180  # of 360


def test_an_epoch_of_fewer_updates_than_are_done_before_a_capture(digits, quantised):
    (finished,) = train_side_by_side([Job(1, quantised(batch=1024, quantised_epochs=2))], digits, 1)
    assert finished.training.epoch == 1 and finished.training.ended


def test_no_run_begins_that_would_not_end(digits, quantised):
    jobs = [Job(number, quantised(seed=number, activations="lsq")) for number in range(3)]
    assert list(train_side_by_side(jobs, digits, 2, seconds=0)) == []


def test_the_first_job_that_still_ends_is_taken(quantised):
    queue = [Job(epochs, quantised(quantised_epochs=epochs)) for epochs in (20, 6, 6)]
    assert take_job(queue, 60, 3.5) == Job(6, quantised(quantised_epochs=6)) and len(queue) == 2
    assert take_job(queue, 20, 3.5) is None and len(queue) == 2
    assert take_job(queue, 70, 3.5).what == 20 and take_job([], 70, 3.5) is None


def test_a_first_run_that_takes_long_stops_no_other(digits, quantised, monkeypatch):
    """By a clock that the first run's start moves by a minute: the third begins when the second has ended quickly."""
    clock, capture = [0.0], CapturedTraining.capture

    def slow_start(training, pool=None):
        clock[0] += 60 if training.recipe.seed == 0 else 1
        capture(training, pool)

    monkeypatch.setattr(CapturedTraining, "capture", slow_start)
    monkeypatch.setattr(side_by_side, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda seconds: None))
    jobs = [Job(number, quantised(seed=number, activations="lsq")) for number in range(3)]
    assert [done.job.what for done in train_side_by_side(jobs, digits, 2, seconds=100)] == [0, 1, 2]


def test_devices_that_are_not_there(monkeypatch):
    assert find_training_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device is 'tpu'; allowed: cpu, cuda"):
        find_training_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device is cuda, but torch finds no CUDA device; allowed here: cpu"):
        find_training_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(
        InputError, match=r"device is cuda, but triton is not installed .*; pip install 'asq-post\[gpu\]'"
    ):
        find_training_device("cuda")


def test_a_cpu_s_queue_has_nothing_pending():
    queue = DeviceQueue(torch.device("cpu"))
    with queue.in_use():
        queue.mark()
    assert queue.count_pending() == 0
