"""What is asked on the page: words and sliders to one request, and which of them has the last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lexifuse.automatic import is_automatic
from lexifuse.instruction import DEGRADATIONS, SETTABLE, Instruction
from lexifuse.language import Reading, read_prompt
from lexifuse.pair import ImagePair

_SLIDER_ROUNDING = 0.0051
"""Sliders show two decimals: a value that differs by less was not moved."""


@dataclass(frozen=True)
class Ask:
    """What the controls of the page say.

    Attributes:
        words: as they were typed.
        automatic: look at the pictures wherever the words say nothing.
        model: a name; the service's own where empty.
        by_hand: fields of :data:`lexifuse.instruction.SETTABLE` that were set by hand, which override the words.
    """

    words: str = ""
    automatic: bool = False
    model: str = ""
    by_hand: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """A picture that the visitor brought: its name in the store, and its file name."""

    file: str
    name: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """A pair that is being worked on.

    Attributes:
        pair: the decoded pictures.
        names: file names of ``infrared`` and ``visible``, as the user knows them.
        resized: the infrared was stretched to the visible grid.
        words: that came with a sample; empty for uploads.
        uploads: what the visitor brought, by ``infrared`` and ``visible``; empty for a sample.
    """

    pair: ImagePair
    names: Mapping[str, str]
    resized: bool = False
    words: str = ""
    uploads: Mapping[str, Upload] = field(default_factory=dict)


def asked_of(loaded: Loaded, earlier: Loaded | None, before: Ask, now: Ask) -> Ask:
    """What is asked of other pictures: a sample brings its words, and goes with them; what was said since stays.

    Args:
        loaded: the pictures that have come.
        earlier: those before them, if there are any.
        before: what the controls said when the pictures were chosen.
        now: what they say.
    """
    of_sample = earlier is not None and bool(earlier.words) and before.words == earlier.words
    if now.words != before.words or not (loaded.words or of_sample):
        return now
    since = {name: value for name, value in now.by_hand.items() if before.by_hand.get(name) != value}
    automatic = now.automatic and not (loaded.words and before.automatic)
    return Ask(loaded.words, automatic, now.model, since)


def settled(ask: Ask) -> Reading:
    """The words as read, with what was set by hand, about which neither words nor pixels are asked any more.

    A fusion of this is what ``lexifuse fuse`` makes of the same words and ``--set``.
    """
    return read_words(ask.words).with_settings(ask.by_hand)


def looks_at_pictures(ask: Ask) -> bool:
    """True where the pixels are asked too."""
    return ask.automatic or is_automatic(ask.words)


def read_words(words: str) -> Reading:
    """The reading of what was typed; ``auto`` is a request, not a description."""
    return read_prompt("" if is_automatic(words) else words)


def values_of(instruction: Instruction) -> dict[str, Any]:
    """An instruction as the page's controls show it: numbers with two decimals, booleans, and a list of objects."""
    severities: dict[str, Any] = {name: round(instruction.severity(name), 2) for name in DEGRADATIONS}
    return severities | {
        "balance": round(instruction.balance, 2),
        "keep_colour": instruction.keep_colour,
        "keep_texture": instruction.keep_texture,
        "highlight": list(instruction.highlight),
    }


def moved(shown: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The controls that say something else than they were told to show."""
    return {name: found[name] for name in SETTABLE if differs(shown[name], found[name])}


def differs(one: Any, other: Any) -> bool:
    """True where two values of a control differ by more than its rounding."""
    if isinstance(one, list):
        return set(one) != set(other or ())
    if isinstance(one, bool):
        return one != bool(other)
    return abs(float(one) - float(other)) > _SLIDER_ROUNDING


def hand_after_words(by_hand: Mapping[str, Any], before: Reading, now: Reading) -> dict[str, Any]:
    """What stays set by hand when the words change: every field of which the new words do not speak anew."""

    def spoken(reading: Reading, name: str) -> tuple[Any, bool]:
        return values_of(reading.instruction)[name], name in reading.denied

    return {name: value for name, value in by_hand.items() if spoken(before, name) == spoken(now, name)}
