"""Results kept between runs: small JSON files named after the content they were computed from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import lexifuse
from lexifuse.errors import InputError, OutputError
from lexifuse.files import atomic_file
from lexifuse.instruction import Instruction

VARIABLE = "LEXIFUSE_CACHE"
"""Environment variable that names another folder for the cache."""


def cache_folder() -> Path:
    """Where results are kept: ``$LEXIFUSE_CACHE``, or the folder that the platform has for caches."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lexifuse" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lexifuse"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lexifuse"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, read once per state of the file.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        state = path.stat()
        return _hash(path, (state.st_mtime_ns, state.st_size))
    except OSError as error:
        raise InputError(f"cannot read '{path}' ({error.strerror or error}): check the file") from error


def fusing_files() -> list[Path]:
    """The files of :func:`fusing_code`, sorted."""
    package = Path(lexifuse.__file__).parent
    patterns = ("*.py", "images/*.py", "language/*.py", "weights/*/card.json")
    return sorted(path for pattern in patterns for path in package.glob(pattern))


@lru_cache(maxsize=1)
def fusing_code() -> str:
    """SHA-256 of all code and cards that a fusion depends on beside its model: results of other code are not reused."""
    return key(*(file_hash(path) for path in fusing_files()))


def in_full(request: Any) -> str:
    """What is asked of a fusion (words, a reading, an instruction or nothing) as a part of a :func:`key`.

    Not as :class:`str`, which rounds an instruction for readers.
    """
    return request.to_json() if isinstance(request, Instruction) else repr(request)


def key(*parts: str) -> str:
    """A name for the result that depends on exactly these parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class ResultCache:
    """A folder of results, each a mapping from names to numbers.

    A damaged entry counts as absent. A folder that cannot be written to is told once, in :attr:`problem`, and costs
    nothing but time.

    Args:
        folder: where; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problem = ""

    def get(self, name: str) -> dict[str, float] | None:
        """The result stored under a :func:`key`, or None."""
        if self.folder is None:
            return None
        with suppress(OSError, ValueError, TypeError, AttributeError):
            stored = json.loads(self._path(name).read_text(encoding="utf-8"))
            return {metric: math.nan if value is None else float(value) for metric, value in stored.items()}
        return None

    def put(self, name: str, values: Mapping[str, float]) -> None:
        """Store a result; a number that is NaN is stored as null."""
        if self.folder is None or self.problem:
            return
        plain = {metric: None if math.isnan(value) else value for metric, value in values.items()}
        try:
            with atomic_file(self._path(name)) as file:
                file.write(json.dumps(plain).encode())
        except OutputError as error:
            self.problem = f"results are not kept: {error}"

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / name[:2] / f"{name}.json"


@lru_cache(maxsize=4096)
def _hash(path: Path, _state: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
