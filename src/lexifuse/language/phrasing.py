"""Turns of phrase put into the plain words that the network was taught, before it reads them.

The network knows words well and turns of phrase less so: "without the haze it would be perfect" asks for what it seems
to deny, "no rain, fog or noise" denies three things, and "the IR has a venetian blind effect" is about stripes. Each
rule of ``retractions.py``, ``whose.py``, ``wants.py`` and ``turns.py`` is one such turn, and ``idioms.py`` has figures
of speech. Every plain word knows which of the user's words it stands for, so that the account of a reading stays in the
user's words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lexifuse.language.idioms import IDIOMS
from lexifuse.language.retractions import RETRACTIONS
from lexifuse.language.turns import TURNS
from lexifuse.language.wants import WANTS
from lexifuse.language.whose import WHOSE


@dataclass(frozen=True, slots=True)
class PlainWord:
    """A word for the network.

    Attributes:
        text: lower case.
        start: index of the first of the user's words that it stands for.
        stop: one past the last of them.
        is_own: whether the user wrote it.
    """

    text: str
    start: int
    stop: int
    is_own: bool = True


_WHOLE = r"(?<!\S)(?:{})(?!\S)"
_PATTERNS = [
    (re.compile(_WHOLE.format(pattern)), plain) for pattern, plain in (*RETRACTIONS, *WHOSE, *WANTS, *IDIOMS, *TURNS)
]


def rephrase(words: Sequence[str]) -> list[PlainWord]:
    """Put turns of phrase into plain words.

    Args:
        words: of a prompt, repaired, signs among them; a repaired word may hold a space.

    >>> [word.text for word in rephrase(["no", "rain", ",", "fog", "or", "noise"])]
    ['no', 'rain', ',', 'no', 'fog', ',', 'no', 'noise']
    """
    plain = [PlainWord(part, at, at + 1) for at, word in enumerate(words) for part in word.lower().split()]
    for pattern, template in _PATTERNS:
        plain = _rewritten(plain, pattern, template)
    return plain


def _rewritten(words: list[PlainWord], pattern: re.Pattern[str], template: str) -> list[PlainWord]:
    text = " ".join(word.text for word in words)
    result: list[PlainWord] = []
    done = 0
    for found in pattern.finditer(text):
        first = text.count(" ", 0, found.start())
        last = first + found.group().count(" ") + 1
        new = found.expand(template)
        result += words[done:first] + _aligned(words[first:last], new.split())
        done = last
    return [*result, *words[done:]] if done else words


def _aligned(old: Sequence[PlainWord], new: Sequence[str]) -> list[PlainWord]:
    """New words for old ones: those that stay keep their place, the others stand for all that was replaced."""
    start, stop = old[0].start, old[-1].stop
    result, at = [], 0
    for text in new:
        kept = next((index for index in range(at, len(old)) if old[index].text == text), None)
        if kept is None:
            result.append(PlainWord(text, start, stop, is_own=False))
        else:
            result.append(old[kept])
            at = kept + 1
    return result
