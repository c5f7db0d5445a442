"""Words to an instruction: clean, split, repair, run the network, and say which words asked for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import UsageError
from lexifuse.instruction import Instruction
from lexifuse.language.decoding import Answer, decode
from lexifuse.language.denials import unasked
from lexifuse.language.fields import TAGS
from lexifuse.language.network import LanguageNetwork
from lexifuse.language.reading import Reading
from lexifuse.language.rules import settle
from lexifuse.language.words import FUNCTION_WORDS, Word, clean, is_foreign, split_words

WINDOW = 64
"""Longest stretch of words and signs that the network reads at once."""

_SENTENCE_ENDS = frozenset(".!?;")
_MARKED = 0.0
"""Logit above which a word counts as a reason for a field."""


def read_prompt(prompt: str) -> Reading:
    """Read a prompt.

    Args:
        prompt: plain English, such as ``"the visible image is dark, the thermal one is noisy; make people stand out"``.

    Returns:
        The instruction, the words behind each of its fields, what was repaired, what was not understood, and how sure
        the reading is. A prompt in another language, or one that asks for nothing, gives the plain instruction.

    Raises:
        UsageError: ``prompt`` is not text.
        ModelError: the reader's files are missing or damaged.

    >>> read_prompt("it is very foggy, and the thermal image has stripes").instruction.asked_for()
    ('visible.haze', 'infrared.stripes')
    """
    if not isinstance(prompt, str):
        raise UsageError(f"a prompt is text, not {type(prompt).__name__}")
    return PromptReader(LanguageNetwork.shipped()).read(prompt)


@dataclass(frozen=True)
class PromptReader:
    """Reads prompts with a loaded network."""

    network: LanguageNetwork

    def read(self, prompt: str) -> Reading:
        """Read a prompt; see :func:`read_prompt`."""
        text = clean(prompt)
        speller = self.network.speller
        words = split_words(text)
        if not any(word.is_word for word in words):
            return Reading(prompt, Instruction())
        if is_foreign(words, speller.is_known):
            return Reading(prompt, Instruction(), not_understood=_distinct(word.text for word in words if word.is_word))
        readable = [word for word in words if word.text.isascii()]
        repaired = [speller.repair(word.text) if word.is_word else word.text for word in readable]
        settled = settle(repaired, *self._ask(repaired))
        answer, marks = settled.answer, settled.marks
        corrections = [(w.text, new) for w, new in zip(readable, repaired, strict=True) if w.text != new]
        spoken = unasked(repaired, answer.instruction)
        if not answer.meaningful and answer.instruction.is_plain:
            return Reading(
                prompt,
                Instruction(),
                not_understood=_content(words),
                corrections=tuple(corrections),
                denied=spoken.denied,
            )
        account = _Account(text, readable, marks)
        return Reading(
            prompt,
            answer.instruction,
            account.understood(answer.instruction),
            _distinct(
                (
                    *self._not_understood(words, readable, repaired, marks),
                    *spoken.impossible,
                    *settled.impossible,
                    *settled.vague,
                )
            ),
            account.phrases(answer.instruction.highlight),
            tuple(dict.fromkeys(corrections)),
            answer.unsure,
            answer.confidence,
            spoken.denied,
        )

    def logits(self, prompt: str) -> list[dict[str, NDArray[np.float32]]]:
        """The network's outputs for a prompt, one mapping per window."""
        words = [word for word in split_words(clean(prompt)) if word.text.isascii()]
        repaired = [self.network.speller.repair(word.text) if word.is_word else word.text for word in words]
        return [self.network.run(self.network.tokenize(repaired[start:stop])[0]) for start, stop in windows(repaired)]

    def _ask(self, words: Sequence[str]) -> tuple[Answer, NDArray[np.float32]]:
        """The network's answer, and for every word how strongly it speaks of each of ``TAGS`` (logits)."""
        outputs, marks = [], np.full((len(words), len(TAGS)), -10.0, np.float32)
        for start, stop in windows(words):
            ids, owners = self.network.tokenize(words[start:stop])
            found = self.network.run(ids)
            outputs.append(found)
            for row, owner in enumerate(owners):
                if owner >= 0:
                    marks[start + owner] = np.maximum(marks[start + owner], found["tags"][row])
        return decode(outputs, self.network.temperature), marks

    def _not_understood(
        self, words: Sequence[Word], readable: Sequence[Word], repaired: Sequence[str], marks: NDArray[np.float32]
    ) -> tuple[str, ...]:
        """Words outside the lexicon that no field was read from."""
        known = {
            word
            for word, text, row in zip(readable, repaired, marks, strict=True)
            if row.max() > _MARKED or all(part in self.network.speller.lexicon for part in text.lower().split())
        }
        strange = (word for word in words if word.is_word and word not in known)
        return _distinct(word.text for word in strange if word.text.lower() not in FUNCTION_WORDS)


@dataclass(frozen=True)
class _Account:
    """Which of the user's own words asked for what."""

    text: str
    words: Sequence[Word]
    marks: NDArray[np.float32]

    def understood(self, instruction: Instruction) -> tuple[tuple[str, str], ...]:
        """The user's words and the field they set, in the order of the words."""
        asked = [name for name in TAGS if not name.startswith("highlight") and instruction.value(name)]
        asked += [f"highlight: {name}" for name in instruction.highlight]
        found = [(run.start, self._phrase(run), name) for name in asked for run in self._runs(name)]
        return tuple((words, name) for _, words, name in sorted(found))

    def phrases(self, highlight: Sequence[str]) -> dict[str, str]:
        """Per object to bring out, the user's words for it, verbatim."""
        return {name: self._phrase(self._runs(f"highlight: {name}")[0]) for name in highlight}

    def _runs(self, field: str) -> list[range]:
        """Unbroken stretches of words that ask for a field; the loudest word where none is loud enough."""
        strength = self.marks[:, TAGS.index(field)]
        runs: list[range] = []
        for index in np.flatnonzero(strength > min(_MARKED, float(strength.max()) - 1e-6)).tolist():
            if runs and runs[-1].stop == index:
                runs[-1] = range(runs[-1].start, index + 1)
            else:
                runs.append(range(index, index + 1))
        return runs

    def _phrase(self, run: range) -> str:
        return self.text[self.words[run.start].start : self.words[run.stop - 1].end]


def windows(words: Sequence[str], longest: int = WINDOW) -> Iterator[tuple[int, int]]:
    """Cut words into stretches that the network can read, at the end of a sentence where there is one.

    >>> list(windows(["a", ".", "b", "c"], longest=3))
    [(0, 2), (2, 4)]
    """
    start = 0
    while start < len(words):
        stop = min(start + longest, len(words))
        if stop < len(words):
            ends = [at + 1 for at in range(start, stop) if words[at] in _SENTENCE_ENDS]
            stop = ends[-1] if ends else stop
        yield start, stop
        start = stop


def _content(words: Sequence[Word]) -> tuple[str, ...]:
    """The words that carry a meaning of their own; all words where none does."""
    spoken = [word.text for word in words if word.is_word]
    return _distinct(text for text in spoken if text.lower() not in FUNCTION_WORDS) or _distinct(spoken)


def _distinct(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
