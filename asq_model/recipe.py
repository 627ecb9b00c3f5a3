"""What a training run or an export depends on: its parameters and fingerprints. Free of torch, so that a command can
say "up to date" at once."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from asq_model.codes import LevelSet
from asq_model.files import fingerprint

ROOM = Path(__file__).parent
TRAINING_SOURCES = ("recipe", "quantisers", "layers", "networks", "data", "checkpoint", "train", "codes")
EXPORT_SOURCES = ("export.py", "golden.py", "codes.py", "layers.py", "quantisers.py", "integer")
PRODUCTS_PER_LAYER = 14_000  # eight low-bit layers then make more than 100,000 in all
EXPORT_SEED = 7


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. `validation` holds that many training images back and tests on them instead."""

    weight_bits: int = 3
    activation_bits: int = 3
    family: str = "post"
    kind: str = "symmetric"
    seed: int = 0
    batch: int = 64
    full_precision_epochs: int = 15
    quantised_epochs: int = 30
    full_precision_rate: float = 0.1
    quantised_rate: float = 0.04
    momentum: float = 0.9
    weight_decay: float = 1e-4
    validation: int = 0

    @property
    def level_set(self) -> LevelSet:
        return LevelSet(self.family, self.weight_bits, self.kind)

    @property
    def epochs(self) -> int:
        return self.full_precision_epochs + self.quantised_epochs


def versions(*libraries: str) -> dict[str, str]:
    return {name: version(name) for name in libraries}


def recipe_fingerprint(recipe: Recipe) -> str:
    """Changes when the recipe, a source that the result depends on, or a library's version changes."""
    libraries = versions("torch", "scikit-learn", "numpy")
    return fingerprint([asdict(recipe), libraries], [ROOM / f"{name}.py" for name in TRAINING_SOURCES])


def export_fingerprint(checkpoint_digest: str) -> str:
    """Changes when the checkpoint, a source that the vectors depend on, or a library's version changes."""
    inputs = [checkpoint_digest, PRODUCTS_PER_LAYER, EXPORT_SEED, versions("torch", "numpy")]
    return fingerprint(inputs, [ROOM / name for name in EXPORT_SOURCES])
