"""Counting right answers: as many images run together as memory has room for."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from asq_model.training.evaluate import EVALUATION_BATCH, EVALUATION_PIXELS, count_correct, find_correct


@dataclass
class BlackImages:
    """A split of black images of class 0, which keeps how many are asked for at once."""

    edge: int
    asked: list = field(default_factory=list)

    def __len__(self):
        return 600

    def image(self, index):
        return torch.zeros(3, self.edge, 1).expand(3, self.edge, self.edge)

    def batches(self, order, batch, generator):
        self.asked.append(batch)
        for part in order.split(batch):
            yield torch.zeros(len(part), 3, 1, 1), torch.zeros(len(part), dtype=torch.int64)


@pytest.mark.parametrize("edge, most", [(8, EVALUATION_BATCH), (224, EVALUATION_PIXELS // 224**2), (1 << 12, 1)])
def test_fewer_large_images_run_together(edge, most):
    split, model = BlackImages(edge), nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    assert count_correct(model, split) == int(find_correct(model.eval(), split).sum()) == 600
    assert split.asked == [most, most]
