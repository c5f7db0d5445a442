"""Labelled prompts to padded batches of tensors."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS
from lexifuse.language.fields import BALANCES, SEVERITIES, TAGS, WISHES
from lexifuse.language.spelling import Speller
from lexifuse.language.words import split_words
from lexifuse.training.language.corpus import Corpus, misspell
from lexifuse.training.language.grammar import load_words
from lexifuse.training.language.piece import Example
from lexifuse.training.text_encoders import TextEncoder, pad

_NOT_WORDS = re.compile(r"\{\w+\}|'\w+': ?[\[{]")
"""Slots and headings of the corpus's files."""

_LETTERS = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")


@dataclass(frozen=True)
class Sample:
    """One prompt, tokenised, with its targets as class indices and bits."""

    ids: list[int]
    degradations: list[int]
    balance: int
    wishes: list[float]
    highlight: list[float]
    meaning: float
    tags: Tensor
    """(T, len(TAGS)) bits: which token asks for what; empty where the encoder does not know the tokens' words."""


@dataclass(frozen=True)
class Batch:
    """Samples of about the same length: ids and mask (B, T), and targets with a leading B."""

    ids: Tensor
    mask: Tensor
    degradations: Tensor
    balance: Tensor
    wishes: Tensor
    highlight: Tensor
    meaning: Tensor
    tags: Tensor | None


def count_words(corpus: Corpus, prompts: int = 8_000) -> dict[str, int]:
    """The reader's lexicon: words of the corpus that carry meaning or fill, and how common they are."""
    files = " ".join(str(load_words(name)) for name in ("lexicon", "frames", "wishes"))
    listed = {word.lower() for word in _LETTERS.findall(_NOT_WORDS.sub(" ", files))}
    listed |= {word.replace("our", "or") for word in listed if word.startswith(("col", "fav"))}
    counts: Counter[str] = Counter(dict.fromkeys(sorted(listed), 1))
    for _ in range(prompts):
        words = (word.text.lower() for word in split_words(corpus.draw().text) if word.is_word)
        counts.update(word for word in words if word in listed)
    return dict(counts.most_common())


def draw_examples(corpus: Corpus, speller: Speller, count: int, seed: int) -> list[Example]:
    """Prompts as the network will see them: some misspelt, all through the repair."""
    rng = random.Random(seed)  # noqa: S311 - chance for a corpus, not for a secret
    repaired: Callable[[str], str] = lambda text: _LETTERS.sub(lambda found: speller.repair(found.group()), text)  # noqa: E731
    examples = []
    for _ in range(count):
        example = corpus.draw()
        if rng.random() < 0.15:
            share = rng.choice((0.15, 0.35, 0.6))
            example = example.rewritten(lambda text, share=share: misspell(text, rng, share))
        examples.append(example.rewritten(repaired) if example.meaningful else example)
    return examples


def make_samples(examples: Sequence[Example], encoder: TextEncoder) -> list[Sample]:
    """Tokenise examples and turn their labels into targets."""
    return [_sample(example, encoder) for example in examples if example.text.strip()]


def _sample(example: Example, encoder: TextEncoder) -> Sample:
    text = example.text
    tokens = encoder.tokenize([text])
    instruction = example.instruction
    tags = torch.zeros(0, 0)
    if tokens.words is not None:
        words = split_words(text)
        tags = torch.zeros(len(tokens.words[0]), len(TAGS))
        for start, end, name in example.spans():
            inside = {index for index, word in enumerate(words) if word.start >= start and word.end <= end}
            rows = [row for row, word in enumerate(tokens.words[0]) if word in inside]
            tags[rows, TAGS.index(name)] = 1.0
    return Sample(
        tokens.ids[0][tokens.mask[0]].tolist(),
        [SEVERITIES.index(instruction.severity(name)) for name in DEGRADATIONS],
        BALANCES.index(instruction.balance),
        [float(getattr(instruction, name)) for name in WISHES],
        [float(name in instruction.highlight) for name in HIGHLIGHTS],
        float(example.meaningful),
        tags,
    )


def batches(samples: Sequence[Sample], size: int, rng: random.Random) -> Iterator[Batch]:
    """One pass over the samples in batches of about equal length, shuffled."""
    order = sorted(range(len(samples)), key=lambda index: len(samples[index].ids) + rng.random() * 4)
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(groups)
    for group in groups:
        yield collate([samples[index] for index in group])


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples to one padded batch."""
    ids, mask = pad([sample.ids for sample in samples])
    tags = None
    if samples[0].tags.numel():
        tags = torch.zeros(*ids.shape, len(TAGS))
        for row, sample in enumerate(samples):
            tags[row, : len(sample.tags)] = sample.tags
    return Batch(
        ids,
        mask,
        torch.tensor([sample.degradations for sample in samples]),
        torch.tensor([sample.balance for sample in samples]),
        torch.tensor([sample.wishes for sample in samples]),
        torch.tensor([sample.highlight for sample in samples]),
        torch.tensor([[sample.meaning] for sample in samples]),
        tags,
    )
