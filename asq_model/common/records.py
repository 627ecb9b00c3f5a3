"""Records: JSON files that this program writes to read them again, all in one form and none believed unchecked.

    {"kind": "area", "format": 1, "inputs": "…", "digest": "…", "content": …}

`digest` is the SHA-256 over everything else. `inputs` is the hash of all that the content was made from, empty where
nothing makes it again. The content has a type, and has to say exactly what that type says: no key more or less, no
number out of range. A record that fails is made again if it is a cache (`find_kept`), or refused in one line
(`read_record`). Free of torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import fingerprint, hold_lock, parse_json, read_bytes, write_json

T = TypeVar("T")
LARGEST = 1 << 53  # the largest integer that every reader of JSON takes exactly
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Whole = Annotated[int, Meta(ge=1, le=LARGEST)]
Amount = Annotated[float, Meta(ge=0, le=1e18)]
Positive = Annotated[float, Meta(gt=0, le=1e18)]
Text = Annotated[str, Meta(max_length=10_000)]
Line = Annotated[str, Meta(max_length=1000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]  # of a table or a message
Word = Annotated[str, Meta(max_length=200, pattern=r"\A[^\x00-\x20\x7f]+\Z")]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Width = Annotated[int, Meta(ge=1, le=8)]  # bits of a weight or an activation


@dataclass(frozen=True)
class Schema(Generic[T]):
    """The schema of a record. `title` names it in errors, `type` is its content's, `remedy` says what to do without it.

    check: raises ValueError for content whose parts do not fit each other.
    """

    title: str
    type: Any
    format: int = 1
    remedy: str = "delete it, and it is made again"
    megabytes: int = 1
    check: Callable[[T], object] = lambda content: None


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A record as it lies in its file."""

    kind: str
    format: int
    inputs: str
    digest: str
    content: Any


def seal_record(schema: Schema[Any], content: object, inputs: str) -> dict[str, Any]:
    """The whole record, its digest made."""
    body = {"kind": schema.title, "format": schema.format, "inputs": inputs}
    return body | {"digest": fingerprint(body | {"content": content}), "content": content}


def check_content(schema: Schema[T], content: object) -> T:
    """The content as its type. Raises ValueError, in one line, unless it is exactly that."""
    try:
        value = msgspec.convert(content, schema.type, strict=True)
        if msgspec.to_builtins(value) != content:
            raise ValueError("it has keys that have no place in it, or lacks some")
        schema.check(value)
    except (msgspec.ValidationError, InputError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    return value


def write_record(path: Path, schema: Schema[T], value: T, inputs: str = "") -> None:
    """Write a record, all or nothing. Raises InputError for a value that could not be read again."""
    content = msgspec.to_builtins(value)
    try:
        check_content(schema, content)
    except ValueError as error:
        raise InputError(f"{schema.title} {path} cannot be written: {error}") from error
    write_json(path, seal_record(schema, content, inputs))


def read_record(path: Path, schema: Schema[T], inputs: str | None = None) -> T:
    """Read a record's content.

    Raises InputError for one that is missing, damaged, edited, or made from other `inputs`, and OtherFormat for one of
    another version.
    """
    try:
        stored = parse_json(read_bytes(path, schema.title, schema.megabytes), f"{schema.title} {path}")
    except InputError as error:
        raise InputError(f"{error}; {schema.remedy}") from error
    try:
        envelope = msgspec.convert(stored, Envelope, strict=True)
        if envelope.kind == schema.title and envelope.format != schema.format:
            versions = f"has format {envelope.format}; this program reads {schema.format}"
            raise OtherFormat(f"{schema.title} {path} {versions}: {schema.remedy}")
        if envelope.kind != schema.title:
            raise ValueError(f"it is of another kind, {envelope.kind[:40]!r}")
        if envelope.digest != seal_record(schema, envelope.content, envelope.inputs)["digest"]:
            raise ValueError("it was changed since it was written: its digest does not match")
        if inputs is not None and envelope.inputs != inputs:
            raise ValueError("it was made from something else")
        return check_content(schema, envelope.content)
    except ValueError as error:  # msgspec's are among them
        raise InputError(f"{schema.title} {path} cannot be used: {error}; {schema.remedy}") from error


def remembered(
    path: Path,
    schema: Schema[T],
    inputs: str,
    make: Callable[[], T],
    still_whole: Callable[[T], bool] = lambda value: True,
) -> T:
    """What was made from these inputs and kept at `path`, or made now by `make` and then kept there.

    It is made where nothing is kept, or where what is kept is no longer whole; of several processes that need it, one
    makes it, and the others wait.
    still_whole: whether what lies beside the record is as it was when the record was written.
    """

    def find() -> T | None:
        value = find_kept(path, schema, inputs)
        return value if value is not None and still_whole(value) else None

    if (value := find()) is None:
        with hold_lock(path.with_name(f"{path.name}.lock")):
            if (value := find()) is None:  # no other process has made it meanwhile
                value = make()
                write_record(path, schema, value, inputs)
    return value


def find_kept(path: Path, schema: Schema[T], inputs: str) -> T | None:
    """What was made from these inputs and kept there, or None: then it has to be made again.

    None stands for a record that is missing, and for one that cannot be trusted.
    """
    try:
        return read_record(path, schema, inputs)
    except InputError:
        return None
