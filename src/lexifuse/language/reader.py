"""Words to an instruction: clean, split, repair, run the network, and say which words asked for what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language.account import MARKED, Account
from lexifuse.language.amounts import place, take_out
from lexifuse.language.correspondence import body
from lexifuse.language.decoding import Answer, decode
from lexifuse.language.denials import unasked
from lexifuse.language.fields import TAGS
from lexifuse.language.network import LanguageNetwork
from lexifuse.language.phrasing import PlainWord, rephrase
from lexifuse.language.reading import Reading
from lexifuse.language.rules import settle
from lexifuse.language.words import FUNCTION_WORDS, SMALL_TALK, Word, clean, is_foreign, split_words

WINDOW = 64
"""Longest stretch of words and signs that the network reads at once."""

_SENTENCE_ENDS = frozenset(".!?;")
_FIELD = re.compile(r"\b(?:visible|infrared)\.[a-z_]+")


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
        # Fields by their names, "visible.haze", as two words at the same places.
        text = _FIELD.sub(lambda found: found.group().replace(".", " ").replace("_", " "), clean(prompt))
        speller = self.network.speller
        words = split_words(text)
        if not any(word.is_word for word in words):
            return Reading(prompt, Instruction(), not_understood=_distinct(text.split()))
        if is_foreign(words, speller.is_known):
            return Reading(prompt, Instruction(), not_understood=_distinct(word.text for word in words if word.is_word))
        return self._read_words(prompt, text, words)

    def _read_words(self, prompt: str, text: str, words: Sequence[Word]) -> Reading:
        typed = [word for word in body(words) if word.text.isascii()]
        remaining, amounts = take_out([word.text for word in typed])
        readable = [typed[index] for index in remaining]
        repaired = [self.network.speller.repair(word.text) if word.is_word else word.text for word in readable]
        plain = rephrase(repaired)
        spoken_words = [word.text for word in plain]
        settled = settle(spoken_words, *self._ask(spoken_words))
        answer, marks = settled.answer, settled.marks
        placed = place(amounts, repaired, plain, marks, answer.instruction.asked_for())
        instruction = answer.instruction.with_values(placed.values)
        corrections = [(w.text, new) for w, new in zip(readable, repaired, strict=True) if w.text != new]
        ruled_out = [name for name, value in placed.values.items() if name in DEGRADATIONS and not value]
        spoken = unasked(spoken_words, instruction, ruled_out)
        talk = {word for word in spoken_words if word[0].isalpha()} <= SMALL_TALK | FUNCTION_WORDS
        if instruction.is_plain and not placed.values and (talk or not (answer.meaningful or spoken.denied)):
            return Reading(
                prompt,
                Instruction(),
                not_understood=_content(words),
                corrections=tuple(corrections),
                denied=spoken.denied,
            )
        numbers = [(typed[amount.first].start, typed[amount.last].end) for amount in amounts]
        account = Account(
            text,
            [(readable[w.start].start, readable[w.stop - 1].end) for w in plain],
            marks,
            [(*numbers[index], field) for index, field in placed.said],
        )
        return Reading(
            prompt,
            instruction,
            account.understood(instruction),
            _distinct(
                (
                    *self._not_understood(_outside(body(words), numbers), readable, repaired, plain, marks),
                    *account.own(plain, (*spoken.impossible, *settled.impossible, *settled.vague)),
                    *(text[slice(*numbers[index])] for index in placed.left),
                )
            ),
            account.phrases(instruction.highlight),
            tuple(dict.fromkeys(corrections)),
            tuple(name for name in answer.unsure if name not in placed.values),
            answer.confidence,
            spoken.denied,
            tuple(name for name in placed.values if name in DEGRADATIONS),
        )

    def logits(self, prompt: str) -> list[dict[str, NDArray[np.float32]]]:
        """The network's outputs for a prompt, one mapping per window."""
        words = [word for word in split_words(clean(prompt)) if word.text.isascii()]
        repaired = [self.network.speller.repair(word.text) if word.is_word else word.text for word in words]
        return [self.network.run(self.network.tokenize(repaired[start:stop])[0]) for start, stop in windows(repaired)]

    def _ask(self, words: Sequence[str]) -> tuple[Answer, NDArray[np.float32]]:
        """The network's answer, and for every word how strongly it speaks of each of ``TAGS`` (logits)."""
        outputs, marks = [], np.full((len(words), len(TAGS)), -10.0, np.float32)
        for start, stop in windows(words) if words else [(0, 0)]:
            ids, owners = self.network.tokenize(words[start:stop])
            found = self.network.run(ids)
            outputs.append(found)
            for row, owner in enumerate(owners):
                if owner >= 0:
                    marks[start + owner] = np.maximum(marks[start + owner], found["tags"][row])
        return decode(outputs, self.network.temperature), marks

    def _not_understood(
        self,
        words: Sequence[Word],
        readable: Sequence[Word],
        repaired: Sequence[str],
        plain: Sequence[PlainWord],
        marks: NDArray[np.float32],
    ) -> tuple[str, ...]:
        """Words outside the lexicon that no field was read from, and that are in no known turn of phrase."""
        silent = {
            word.start
            for word, row in zip(plain, marks, strict=True)
            if word.is_own and row.max() <= MARKED and word.stop == word.start + 1
        }
        rephrased = {at for word in plain if not word.is_own for at in range(word.start, word.stop)}
        known = {
            word
            for at, (word, text) in enumerate(zip(readable, repaired, strict=True))
            if at not in silent
            or at in rephrased
            or all(part.partition("'")[0] in self.network.speller.lexicon for part in text.lower().split())
        }
        read_as = dict(zip(readable, repaired, strict=True))
        strange = (word for word in words if word.is_word and word not in known)
        return _distinct(word.text for word in strange if read_as.get(word, word.text).lower() not in FUNCTION_WORDS)


def _outside(words: Sequence[Word], spans: Sequence[tuple[int, int]]) -> list[Word]:
    """The words that are in none of some stretches of text."""
    return [word for word in words if not any(start <= word.start < stop for start, stop in spans)]


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
