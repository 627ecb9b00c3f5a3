"""Files that are either the old one or the new one, never half of either; and what they were made from."""

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asq_model.common.errors import InputError

MEGABYTE = 1 << 20
LARGEST_MB = 4096  # of any file that is read: sparse files can claim terabytes
JSON_MB = 64  # of one that is held in memory as Python objects
DEEPEST = 64  # brackets within brackets of a JSON text
PACKAGES = Path(__file__).parents[2]  # the folder that asq_model, hw and sim lie in


@contextmanager
def reported_os_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError (no space, no permission, a file where a folder should be) into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot {what} {path}: {error.strerror or error}") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then rename: a killed run leaves the old file whole.

    Raises InputError where no file can be, and for a device or a pipe, which a file would take the place of.
    """
    with reported_os_errors("write", path):
        if path.exists() and not path.is_file():
            raise InputError(f"cannot write {path}: it is {kind_of(path)}; allowed: a regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp makes the file private
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file: of several processes that do the same work, one does it, the others wait."""
    with reported_os_errors("lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_bytes(path: Path, contents: bytes) -> None:
    """Write a file, all or nothing."""
    write_atomically(path, lambda temporary: temporary.write_bytes(contents))


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, all or nothing."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def format_canonical_json(value: object) -> str:
    """Format the one JSON text of a value: what is hashed and what is compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, all or nothing."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def check_file(path: Path, what: str, megabytes: int = LARGEST_MB) -> None:
    """Raises InputError unless this is a regular file of at most so many megabytes.

    It is not opened: a device has no end, and a FIFO waits for a writer.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot read {what} {path}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"cannot read {what} {path}: it is {kind_of(path)}; allowed: a regular file")
    if found.st_size > megabytes * MEGABYTE:
        raise InputError(f"{what} {path} has {found.st_size:,} bytes; allowed: {megabytes} MiB")


def kind_of(path: Path) -> str:
    """What is at a path where no regular file is, in words."""
    return "a folder" if path.is_dir() else "a device, a pipe or a socket"


def read_bytes(path: Path, what: str, megabytes: int = JSON_MB) -> bytes:
    """Read a whole file that `check_file` lets pass. Raises InputError."""
    check_file(path, what, megabytes)
    with reported_os_errors(f"read {what}", path):
        return path.read_bytes()


def read_text(path: Path, what: str, megabytes: int = JSON_MB) -> str:
    """Read a whole file as UTF-8 text. Other bytes are replaced, since another program may have written it.

    Raises InputError as `read_bytes` does.
    """
    return read_bytes(path, what, megabytes).decode("utf-8", errors="replace")


def parse_json(contents: bytes | str, what: str) -> object:
    """Parse a JSON text. InputError, beginning with `what`, for what is not JSON, no finite number or too deep."""
    import msgspec  # its JSON is strict: no NaN, nothing out of range, and no stack is overrun

    try:
        value = msgspec.json.decode(contents)
        check_depth(value, DEEPEST)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InputError(f"{what} is not valid JSON: {error}") from error
    except RecursionError as error:
        raise InputError(f"{what} is nested too deeply; allowed: {DEEPEST} levels") from error
    return value


def check_depth(value: object, levels: int) -> None:
    """Raises RecursionError for lists and dictionaries within more than so many others."""
    if not levels:
        raise RecursionError
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(part, dict | list):
            check_depth(part, levels - 1)


def read_json(path: Path, what: str, megabytes: int = JSON_MB) -> dict[str, Any]:
    """Read the object in a JSON file.

    Raises InputError for a file that is missing, too large, no regular file or not JSON.
    """
    value = parse_json(read_bytes(path, what, megabytes), f"{what} {path}")
    if not isinstance(value, dict):
        raise InputError(f"{what} {path} holds {type(value).__name__}, not an object")
    return value


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's contents. Raises InputError for one that cannot be read."""
    check_file(path, "file")
    with reported_os_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(parameters: object, sources: Iterable[Path] = ()) -> str:
    """Hash parameters (anything JSON holds) and the contents of files, and of all files in folders, into one SHA-256.

    A step stores it with its output and is not run again while it is unchanged.
    """
    digest = hashlib.sha256(format_canonical_json(parameters).encode())
    for source in sources:
        for path in sorted(filter(is_source, source.rglob("*"))) if source.is_dir() else [source]:
            digest.update(f"\0{path.relative_to(source.parent).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def is_source(path: Path) -> bool:
    """Whether a path below a source folder is a file of the source, not one that Python compiled from it."""
    return path.is_file() and path.suffix != ".pyc"


def list_sources(*names: str) -> list[Path]:
    """List files and folders of this program, given by their paths from `PACKAGES`."""
    return [PACKAGES / name for name in names]
