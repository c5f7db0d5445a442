"""Write files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lexifuse.errors import OutputError


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place only when everything has been written.

    Args:
        path: where the file shall stand; an existing file is replaced.

    Yields:
        The temporary file, open for writing bytes.

    Raises:
        OutputError: as :func:`atomic_path` does.
    """
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        yield file


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name for what is written by name; the file takes its place when the block ends.

    It is a hidden ``*.part`` file in the same folder, which replaces the file when the block ends and is removed when
    the block fails. Missing parent folders are made.

    Args:
        path: where the file shall stand; an existing file is replaced, and a link is written through.

    Yields:
        The temporary name, at which there is nothing yet.

    Raises:
        OutputError: no file can have that name, the folder cannot be made or written to, or writing failed.
    """
    given = Path(path)
    if not given.name or "\0" in str(given):
        raise OutputError(f"cannot write {str(given)!r} (no file can have that name): give the name of a file")
    target = Path(os.path.realpath(given))  # what a link points to is written, and the link stays
    temporary = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot write '{given}' ({error.strerror or error}): choose another name, or a folder that is writable"
        ) from error
    finally:
        # After the replacement nothing is left to remove; a folder that cannot be entered holds nothing of ours.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
