"""Where a prompt's clauses end, and which camera each of them names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

SOURCES = {
    "infrared": frozenset({"infrared", "ir", "thermal", "heat", "thermogram", "thermography", "flir", "lwir"}),
    "visible": frozenset({"visible", "rgb", "colour", "color", "optical", "daylight", "photo", "vis"}),
}
"""Words for each camera, lower case."""

CAMERAS = SOURCES["infrared"] | SOURCES["visible"]

_ENDS = frozenset(",.;:!?") | {"but", "while", "whereas", "though", "although"}


def clauses(words: Sequence[str]) -> list[int]:
    """For each lower-case word the number of its clause; a word or sign that ends one belongs to it.

    >>> clauses(["thermal", "fine", ",", "photo", "dark"])
    [0, 0, 0, 1, 1]
    """
    numbers, clause = [], 0
    for word in words:
        numbers.append(clause)
        clause += word in _ENDS
    return numbers


def cameras_of(words: Collection[str]) -> set[str]:
    """The sources, infrared and visible, that lower-case words name; "both" names both."""
    if "both" in words:
        return set(SOURCES)
    return {source for source, names in SOURCES.items() if not names.isdisjoint(words)}
