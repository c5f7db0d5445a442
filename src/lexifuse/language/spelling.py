"""Repair of misspelt words: the nearest word of the reader's lexicon, real English words left alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

_ENDINGS = ("s", "es", "ed", "ing", "er", "est", "ly", "ness", "'s", "n't", "'re", "'ve", "'ll", "'d")
_SHORT = {
    "ppl": "people",
    "peeps": "people",
    "pls": "please",
    "plz": "please",
    "u": "you",
    "img": "image",
    "imgs": "images",
    "pix": "pictures",
    "rly": "really",
    "srsly": "really",
    "af": "as hell",
    "n": "and",
    "bc": "because",
    "cuz": "because",
    "thx": "thanks",
    "ped": "pedestrian",
    "peds": "pedestrians",
    "pax": "people",
    "gud": "good",
    "therm": "thermal",
    "thrm": "thermal",
    "thermo": "thermal",
    "tic": "thermal camera",
}
"""What people write in a chat instead of words; none is a misspelt word of the lexicon."""

_RUNS = re.compile(r"(.)\1{2,}")


class Speller:
    """Repairs words.

    Args:
        lexicon: words that the reader knows, with how common they are in prompts.
        english: other real words, which are never changed.

    >>> Speller({"noisy": 9, "stripes": 5}, {"nosy"}).repair("nosiy")
    'noisy'
    >>> Speller({"noisy": 9}, {"nosy"}).repair("nosy")
    'nosy'
    """

    def __init__(self, lexicon: Mapping[str, int], english: Collection[str]) -> None:
        self.lexicon = lexicon
        self._english = english
        self._by_length: dict[int, list[tuple[str, int]]] = {}
        for word in lexicon:
            self._by_length.setdefault(len(word), []).append((word, _letters(word)))
        self.repair = lru_cache(maxsize=65536)(self._repair)

    def is_known(self, word: str) -> bool:
        """Whether a lower-case word is English, inflected forms included."""
        if word in self.lexicon or word in self._english:
            return True
        stems = [
            word.removesuffix(ending)
            for ending in _ENDINGS
            if word.endswith(ending) and len(word) - len(ending) > (1 if "'" in ending else 2)
        ]
        return any(stem in self.lexicon or stem in self._english or f"{stem}e" in self.lexicon for stem in stems)

    def _repair(self, word: str) -> str:
        """The word itself where it is known or nothing is near, else the nearest word (or two) of the lexicon."""
        lower = word.lower()
        if lower in _SHORT:
            return _SHORT[lower]
        if len(lower) < 3 or not lower.isascii() or self.is_known(lower):
            return word
        for shorter in (_RUNS.sub(r"\1\1", lower), _RUNS.sub(r"\1", lower)):
            if shorter != lower and self.is_known(shorter):
                return shorter
        return self._nearest(lower) or self._split(lower) or word

    def _nearest(self, word: str) -> str | None:
        reach = 2 if len(word) >= 7 else 1
        letters = _letters(word)
        best: tuple[int, int, int, str] | None = None
        for length in range(len(word) - reach, len(word) + reach + 1):
            for candidate, their_letters in self._by_length.get(length, ()):
                if (letters ^ their_letters).bit_count() > 2 * reach:
                    continue
                distance = edit_distance(word, candidate, reach)
                if distance > reach or (len(word) == 3 and (length < 3 or candidate[0] != word[0])):
                    continue
                ends = (candidate[0] != word[0]) + (candidate[-1] != word[-1])
                rank = (distance, ends, -self.lexicon[candidate], candidate)
                best = rank if best is None else min(best, rank)
        return best[3] if best else None

    def _split(self, word: str) -> str | None:
        """Two words of the lexicon that were typed as one."""
        for at in range(3, len(word) - 2):
            if word[:at] in self.lexicon and word[at:] in self.lexicon:
                return f"{word[:at]} {word[at:]}"
        return None


def edit_distance(first: str, second: str, limit: int) -> int:
    """Letters to insert, delete, replace or swap with their neighbour to get from one word to the other.

    The optimal string alignment distance (Damerau 1964, restricted). More than ``limit`` is given as ``limit + 1``.

    >>> edit_distance("nosiy", "noisy", 2)
    1
    """
    before: list[int] = []
    previous = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, previous = previous, current
    return min(previous[-1], limit + 1)


def _letters(word: str) -> int:
    """The set of letters of a word as bits."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 31)
    return bits
