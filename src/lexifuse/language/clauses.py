"""Where a prompt's clauses end, and which camera each of them names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

SOURCES = {
    "infrared": frozenset({"infrared", "ir", "thermal", "heat", "thermogram", "thermography", "flir", "lwir", "mwir"}),
    "visible": frozenset(
        {"visible", "rgb", "colour", "color", "optical", "daylight", "photo", "vis", "photograph", "eo", "webcam"}
    ),
}
"""Words for each camera, lower case."""

CAMERAS = SOURCES["infrared"] | SOURCES["visible"]

_ENDS = frozenset(",.;:!?/") | {"but", "while", "whereas", "though", "although"}
_SENTENCE_ENDS = frozenset(",.;!?")


def clauses(words: Sequence[str], said: Collection[str] = ()) -> list[int]:
    """For each lower-case word the number of its clause; a word or sign that ends one belongs to it.

    A colon after a camera ends none, and "and" ends one where something is said of another camera on either side.

    Args:
        words: of the prompt.
        said: words that say something of a camera, such as "dark" and "noise".

    >>> clauses(["thermal", "fine", ",", "photo", "dark"])
    [0, 0, 0, 1, 1]
    >>> clauses(["dark", "photo", "and", "noisy", "thermal"], {"dark", "noisy"})
    [0, 0, 0, 1, 1]
    """
    numbers, clause, start = [], 0, 0
    for index, word in enumerate(words):
        numbers.append(clause)
        ends = word in _ENDS and not (word == ":" and index and words[index - 1] in CAMERAS)
        if ends or (word == "and" and _joins(words[start:index], words[index + 1 :], said)):
            clause, start = clause + 1, index + 1
    return numbers


def _joins(before: Sequence[str], after: Sequence[str], said: Collection[str]) -> bool:
    """Whether "and" joins two clauses, each with something said of a camera of its own."""
    stop = next((at for at, word in enumerate(after) if word in _SENTENCE_ENDS or word == "and"), len(after))
    sides = (before, after[:stop])
    named = [cameras_of(side) for side in sides]
    return all(len(one) == 1 for one in named) and named[0] != named[1] and all(set(side) & set(said) for side in sides)


def cameras_of(words: Collection[str]) -> set[str]:
    """The sources, infrared and visible, that lower-case words name; "both" names both."""
    if "both" in words:
        return set(SOURCES)
    return {source for source, names in SOURCES.items() if not names.isdisjoint(words)}
