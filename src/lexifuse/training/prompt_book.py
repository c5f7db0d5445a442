"""Prompts that ask for given repairs: from the generated corpus where it has them, in plain words where it has not."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from lexifuse.instruction import ASKED_FOR, DEGRADATIONS, PLAIN
from lexifuse.language.plain_words import say
from lexifuse.training.language.corpus import Corpus
from lexifuse.training.language.grammar import load_words
from lexifuse.training.language.trainer import english_words

_NEAR = 0.3


class PromptBook:
    """A fixed set of labelled prompts, so that each has to be encoded only once in a training run.

    Only prompts about damage are kept: Text-IF knows no balance, no wishes and no objects to bring out.

    Args:
        size: prompts drawn from the corpus.
        canonical: share of the answers in the words of :func:`say` although the corpus has some.
        seed: of the corpus.
    """

    def __init__(self, size: int, canonical: float, seed: int) -> None:
        self.canonical = canonical
        self._prompts: dict[frozenset[str], dict[str, tuple[float, ...]]] = {}
        corpus = Corpus(seed, _meaningless_words())
        for _ in range(size):
            example = corpus.draw()
            if set(example.values) <= set(DEGRADATIONS):
                labels = tuple(float(example.values[name]) for name in sorted(example.values))
                self._prompts.setdefault(frozenset(example.values), {})[example.text] = labels

    def __len__(self) -> int:
        """Distinct prompts."""
        return sum(len(prompts) for prompts in self._prompts.values())

    def prompt(self, severities: Mapping[str, float], rng: np.random.Generator) -> str:
        """A prompt that asks to repair just what is given, no milder and no stronger than it may be meant.

        Args:
            severities: degradations to severities 0..1; those below ``ASKED_FOR`` are not asked for.
            rng: chooses.
        """
        asked = {name: value for name, value in severities.items() if value >= ASKED_FOR}
        wanted = tuple(asked[name] for name in sorted(asked))
        fitting = [
            text
            for text, labels in self._prompts.get(frozenset(asked), {}).items()
            # A plain mention is made of damage of any severity.
            if all(label == PLAIN or abs(label - value) <= _NEAR for label, value in zip(labels, wanted, strict=True))
        ]
        if not fitting or rng.random() < self.canonical:
            return say(asked)
        return fitting[int(rng.integers(len(fitting)))]


def _meaningless_words() -> list[str]:
    """English words that say nothing about pictures, for nonsense and filling."""
    files = " ".join(str(load_words(name)).lower() for name in ("lexicon", "frames", "wishes"))
    meaning = set(re.findall(r"[a-z]+", files))
    return [word for word in english_words() if word not in meaning]
