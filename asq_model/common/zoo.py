"""Trained networks that come with the package, by name: their checkpoints, and a record of each. Free of torch."""

from difflib import get_close_matches
from pathlib import Path
from typing import TypedDict

from asq_model.common.errors import InputError, shown
from asq_model.common.records import Count, Digest, Schema, Whole, Word, read_record
from asq_model.common.result_schemas import RecipeRecord

ZOO = Path(__file__).parents[1] / "zoo"
SUFFIX = ".safetensors"


class ZooNetwork(TypedDict):
    """A trained network: how it was trained, and how many of the test images it has right.

    sha256: of the file, which has so many bytes; digest: of its tensors and its configuration, as in other records.
    """

    recipe: RecipeRecord
    correct: Count
    images: Whole
    digest: Digest
    sha256: Digest
    bytes: Whole


NETWORKS: Schema[dict[str, ZooNetwork]] = Schema(
    "networks of the zoo", dict[Word, ZooNetwork], remedy="install asq-post again"
)
RECORD = ZOO / "networks.json"


def read_zoo() -> dict[str, ZooNetwork]:
    """Read every network's record, by its name. Raises InputError for a damaged record."""
    return read_record(RECORD, NETWORKS)


def list_zoo_names() -> list[str]:
    """List the names of the networks, by their files."""
    return sorted(path.stem for path in ZOO.glob(f"*{SUFFIX}"))


def find_zoo_checkpoint(name: str, option: str, or_else: str = "") -> Path:
    """Find the checkpoint of a network. Raises InputError with the nearest name for none.

    option: what gave the name; or_else: what else it could have been, for the error.
    """
    names = list_zoo_names()
    if name in names:
        return ZOO / f"{name}{SUFFIX}"
    nearest = get_close_matches(name, names, 1, 0)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise InputError(f"{option} is {shown(name)}, no {or_else}network of the zoo; {hint}`asq-post zoo list` has them")
