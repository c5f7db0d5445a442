"""Files that the page shows or offers, in memory under names that nobody can guess: uploads, pictures, reports."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BUDGET = 768 * 2**20
"""Bytes that are held, all visitors together; beyond it the files that were not asked for longest are forgotten."""


@dataclass(frozen=True)
class Content:
    """A file's bytes and what they are."""

    data: bytes
    media_type: str


class Bundle:
    """Files that belong together, each made when it is first asked for.

    Args:
        makers: what makes the file, by its name in the bundle.
        weight: bytes that are held for its sake, the arrays that the files are made from included.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Content]], weight: int) -> None:
        self.weight = weight
        self._makers = makers
        self._made: dict[str, Content] = {}

    def get(self, file: str) -> Content | None:
        """One of the files, or None where there is none of that name."""
        if file not in self._made and file in self._makers:
            self._made[file] = self._makers[file]()
        return self._made.get(file)


class FileStore:
    """Bundles by unguessable name. All methods may be called from several threads."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._bundles: OrderedDict[str, Bundle] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def add(self, makers: Mapping[str, Callable[[], Content]], weight: int) -> str:
        """Keep a bundle; the name under which :meth:`get` finds its files."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._bundles[name] = Bundle(makers, weight)
            self._weight += weight
            while self._weight > self._budget and len(self._bundles) > 1:
                self._weight -= self._bundles.popitem(last=False)[1].weight
        return name

    def touch(self, name: str) -> bool:
        """Say that a bundle is in use; False where it is unknown or was forgotten."""
        with self._lock:
            if name not in self._bundles:
                return False
            self._bundles.move_to_end(name)
            return True

    def get(self, name: str, file: str) -> Content | None:
        """A file of a bundle, or None where there is none."""
        if not self.touch(name):
            return None
        with self._lock:
            bundle = self._bundles.get(name)
        return None if bundle is None else bundle.get(file)
