"""Words and pixels: words say what to repair, the pixels say how much, and where there is plainly nothing to repair.

"Hazy" is said of a thin veil and of a wall of fog. The network that reads pictures (:mod:`lexifuse.automatic`) sees
which it is, so the severity is what it sees, within what the words say of it: "slightly" stays slight, "very" severe.

A network that is told of haze on a clear day takes the day for haze. So what is asked for is scaled by how possible the
pixels hold it, too. Little has to be seen: what is held possible, be it unlikely, is repaired. Whoever means something
else sets the severity by hand.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lexifuse.automatic import PixelReading
from lexifuse.instruction import ASKED_FOR, Instruction
from lexifuse.language.plain_words import SEVERE_FROM, SLIGHT_BELOW
from lexifuse.pixels import mean_luma

PLAINLY_ABSENT, POSSIBLE = 0.005, 0.05
"""Probabilities of a degradation, up to which :data:`LEAST` of a repair is left, and from which all of it is."""

FLAT_PLAINLY_ABSENT, FLAT_POSSIBLE = 0.03, 0.3
"""The same for low contrast: a smooth infrared picture is held for flat more easily, and told so, loses the most."""

LEAST = 0.05
"""Share of a severity that is always carried out: whoever reads pictures can err, and words are never mute."""

DIM, BRIGHT = 0.25, 0.33
"""Mean luma of a visible picture, up to which "too dark" is a matter of taste, and from which it takes evidence."""

_DARK = "visible.low_light"
_WORTH_A_NOTE = 0.5
_STEP = 0.01  # of severities, as they are shown


@dataclass(frozen=True)
class Weighed:
    """What is done of a request once the pixels had their say.

    Attributes:
        instruction: what shall be carried out.
        notes: what was left nearly alone and how to have it all the same, each one phrase.
    """

    instruction: Instruction
    notes: tuple[str, ...] = ()


def weigh(
    asked: Instruction, by_hand: Collection[str], seen: PixelReading, visible: NDArray[Any], *, amounts: bool = True
) -> Weighed:
    """Let the pixels say how much is repaired of what is asked for.

    Args:
        asked: what is asked for.
        by_hand: degradations whose severity was set by hand, which stand.
        seen: what the pixels are taken for.
        visible: (H, W, 3) RGB or (H, W), uint8, uint16 or float32 in 0..1.
        amounts: whether severities are what is seen; otherwise they stay as they were said.
    """
    carried_out, notes = {}, []
    for name in asked.asked_for():
        if name in by_hand:
            continue
        share = _possible(seen.probability[name], *limits(name))
        if name == _DARK and share < 1.0:
            share = max(share, _between(mean_luma(visible), BRIGHT, DIM))
        said = asked.severity(name)
        # What is hardly thought to be there is hardly seen to be bad, either: doubt counts once.
        severity = said + share * (within(said, seen.severity[name]) - said) if amounts else said
        carried_out[name] = round(severity * max(share, LEAST), 3)
        if share < _WORTH_A_NOTE:
            notes.append(
                f"the pictures do not show it, so it was left nearly alone: {name} (set by hand, it is repaired)"
            )
    return Weighed(asked.with_values(carried_out), tuple(notes))


def within(said: float, seen: float) -> float:
    """The severity that is seen, as far as the words leave it open: slight stays slight, and severe severe.

    >>> [within(said, 0.66) for said in (0.3, 0.6, 0.9)]
    [0.44, 0.66, 0.75]
    """
    least = SEVERE_FROM if said >= SEVERE_FROM else ASKED_FOR
    most = SLIGHT_BELOW - _STEP if said < SLIGHT_BELOW else 1.0
    return min(max(seen, least), most)


def limits(degradation: str) -> tuple[float, float]:
    """The probabilities up to which a degradation is plainly absent, and from which it is possible."""
    if degradation == "infrared.low_contrast":
        return FLAT_PLAINLY_ABSENT, FLAT_POSSIBLE
    return PLAINLY_ABSENT, POSSIBLE


def _possible(probability: float, plainly_absent: float, possible: float) -> float:
    """Zero for the plainly absent, one for the possible, by the logarithm in between."""
    return _between(math.log(max(probability, 1e-9)), math.log(plainly_absent), math.log(possible))


def _between(value: float, zero: float, one: float) -> float:
    return min(max((value - zero) / (one - zero), 0.0), 1.0)
