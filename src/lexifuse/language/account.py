"""The account of a reading: which of the user's own words asked for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import Instruction
from lexifuse.language.fields import TAGS
from lexifuse.language.phrasing import PlainWord

MARKED = 0.0
"""Logit above which a word counts as a reason for a field."""


@dataclass(frozen=True)
class Account:
    """Which of the user's own words asked for what.

    Attributes:
        text: the cleaned prompt.
        spans: where in the text each word that was read comes from.
        marks: (W, len(TAGS)), how strongly each word that was read speaks of each field.
        numbers: where in the text numbers stand that set a field, and which.
    """

    text: str
    spans: Sequence[tuple[int, int]]
    marks: NDArray[np.float32]
    numbers: Sequence[tuple[int, int, str]] = ()

    def understood(self, instruction: Instruction) -> tuple[tuple[str, str], ...]:
        """The user's words and the field they set, in the order of the words."""
        asked = [name for name in TAGS if not name.startswith("highlight") and instruction.value(name)]
        asked += [f"highlight: {name}" for name in instruction.highlight]
        found = list(self.numbers)
        if any(name == "balance" for *_, name in found):
            asked = [name for name in asked if name != "balance"]
        for name in asked:
            spans = {self._span(run): None for run in self._runs(name)}
            found += [(start, stop, name) for start, stop in spans if not _inside(start, stop, spans)]
        return tuple((self.text[start:stop], name) for start, stop, name in sorted(found))

    def phrases(self, highlight: Sequence[str]) -> dict[str, str]:
        """Per object to bring out, the user's words for it, verbatim."""
        return {name: self._phrase(self._runs(f"highlight: {name}")[0]) for name in highlight}

    def _runs(self, field: str) -> list[range]:
        """Unbroken stretches of words that ask for a field; the loudest word where none is loud enough."""
        strength = self.marks[:, TAGS.index(field)]
        runs: list[range] = []
        for index in np.flatnonzero(strength > min(MARKED, float(strength.max()) - 1e-6)).tolist():
            if runs and runs[-1].stop == index:
                runs[-1] = range(runs[-1].start, index + 1)
            else:
                runs.append(range(index, index + 1))
        return runs

    def _phrase(self, run: range) -> str:
        start, stop = self._span(run)
        return self.text[start:stop]

    def _span(self, run: range) -> tuple[int, int]:
        starts, stops = zip(*(self.spans[index] for index in run), strict=True)
        return min(starts), max(stops)

    def own(self, plain: Sequence[PlainWord], texts: Sequence[str]) -> Iterator[str]:
        """The user's own words for words that were put in their place."""
        for text in texts:
            at = next((at for at, word in enumerate(plain) if word.text == text and not word.is_own), None)
            yield text if at is None else self._phrase(range(at, at + 1))


def _inside(start: int, stop: int, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether a stretch of text is part of a longer one."""
    return any(first <= start and stop <= last and (first, last) != (start, stop) for first, last in spans)
