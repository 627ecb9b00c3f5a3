"""Small images, all in memory as bytes; scaled and augmented a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asq_model.distributed import rank, world_size


@dataclass(frozen=True)
class MemorySplit:
    """Images uint8 [N, C, H, W] and labels int64 [N]. What a network sees is (image / white − mean) / deviation.

    Augmentation: each image moved by up to `shift` pixels in both directions, black filled in, and mirrored with
    probability ½ if `mirror`.
    """

    images: Tensor
    labels: Tensor
    white: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    shift: int
    mirror: bool

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Tensor) -> "MemorySplit":
        """Take the images with these indices."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def image(self, index: int) -> Tensor:
        """One image as a network sees it, float32 [C, H, W], not augmented."""
        return self.scale(self.images[index : index + 1])[0]

    def scale(self, images: Tensor) -> Tensor:
        """Scale images to what a network sees, float32 [N, C, H, W]."""
        mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.deviation))
        return (images / self.white - mean) / deviation

    def batches(self, order: Tensor, batch: int, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of images and labels, see `asq_model.datasets`.

        The random numbers are those of the whole batch, whichever process takes which part.
        """
        for indices in order.split(batch):
            mine = slice(rank(), None, world_size())
            images = self.images[indices]
            if generator is not None:
                images = self.augment(images, generator)
            yield self.scale(images[mine]), self.labels[indices[mine]]

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Move and mirror images uint8 [N, C, H, W] at random."""
        count, _, height, width = images.shape
        padded = torch.nn.functional.pad(images, (self.shift,) * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        rows, columns = torch.randint(2 * self.shift + 1, (2, count), generator=generator)
        images = windows[torch.arange(count), :, rows, columns]
        if self.mirror:
            mirrored = torch.rand(count, generator=generator) < 0.5
            images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
        return images
