"""Files that are either the old one or the new one, never half of either; and what they were made from."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path


class InputError(Exception):
    """Something the user gave cannot be used: one line naming the thing, its value and what is allowed."""


class OtherFormat(InputError):
    """A file of another version of this program: whole, but to be made again."""


@contextmanager
def reported_os_errors(what: str, path: Path):
    """Turn an OSError (no space, no permission, a file where a folder should be) into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot {what} {path}: {error.strerror or error}") from error


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then rename: a killed run leaves the old file whole."""
    with reported_os_errors("write", path):
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
def locked(path: Path):
    """Hold an exclusive lock on a file: of several processes that do the same work, one does it, the others wait."""
    with reported_os_errors("lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_text(path: Path, text: str) -> None:
    atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def canonical_json(value: object) -> str:
    """The one JSON text of a value: what is hashed and what is compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> dict:
    """The object in a JSON file; InputError when it is missing or is not JSON."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{what} {path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{what} {path} holds {type(value).__name__}, not an object")
    return value


def sha256_file(path: Path) -> str:
    with reported_os_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(parameters: object, sources: Iterable[Path] = ()) -> str:
    """One SHA-256 over parameters (anything JSON holds) and the contents of source files and of folders' `*.py`.

    A step stores it with its output and is not run again while it is unchanged.
    """
    digest = hashlib.sha256(canonical_json(parameters).encode())
    for source in sources:
        for path in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(f"\0{path.relative_to(source.parent).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
