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

    The bytes go to a hidden ``*.part`` file in the same folder, which replaces ``path`` when the block ends and is
    removed when the block fails. Missing parent folders are made.

    Args:
        path: where the file shall stand; an existing file is replaced.

    Yields:
        The temporary file, open for writing bytes.

    Raises:
        OutputError: the folder cannot be made or written to, or writing failed.
    """
    target = Path(path)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        with temporary.open("xb") as file:
            yield file
        temporary.replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot write '{target}' ({error.strerror or error}): choose a folder that can be written to"
        ) from error
    finally:
        # After the replacement nothing is left to remove; a folder that cannot be entered holds nothing of ours.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
