"""Some items of many, evenly spread: pictures that stand beside each other in a data set are often alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], limit: int) -> list[Item]:
    """At most so many of the items, evenly spread; all where 0.

    >>> spread("abcdef", 3)
    ['a', 'c', 'e']
    """
    count = min(limit, len(items)) if limit else len(items)
    return [items[index * len(items) // count] for index in range(count)]
