"""The corpus, its labels, the hand-written prompts and the spelling repair."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("yaml")

from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS
from lexifuse.language.reading import Reading
from lexifuse.language.spelling import Speller, edit_distance
from lexifuse.language.words import clean, split_words
from lexifuse.training.language.corpus import Corpus, misspell
from lexifuse.training.language.prompts import STYLES, hand_written

STRANGE = ["banana", "policy"]


def test_the_same_seed_gives_the_same_corpus() -> None:
    first, second, other = (Corpus(seed, STRANGE) for seed in (3, 3, 4))
    texts = [example.text for example, _ in zip(first, range(50), strict=False)]
    assert texts == [second.draw().text for _ in range(50)]
    assert texts != [other.draw().text for _ in range(50)]


def test_every_field_is_drawn_and_every_asked_field_is_marked_in_the_text() -> None:
    corpus = Corpus(0, STRANGE)
    seen: Counter[str] = Counter()
    for _ in range(3000):
        example = corpus.draw()
        instruction = example.instruction
        marked = {name for start, end, name in example.spans() if end > start}
        wanted = set(instruction.asked_for()) | {f"highlight: {name}" for name in instruction.highlight}
        wanted |= {name for name in ("balance", "keep_colour", "keep_texture") if getattr(instruction, name)}
        assert marked == wanted, example.text
        seen.update(wanted)
    expected = {*DEGRADATIONS, "balance", "keep_colour", "keep_texture", *(f"highlight: {name}" for name in HIGHLIGHTS)}
    assert set(seen) == expected
    assert min(seen.values()) > 10


def test_no_slot_is_left_open() -> None:
    corpus = Corpus(1, STRANGE)
    assert not [text for text in (corpus.draw().text for _ in range(3000)) if "{" in text or "}" in text]


def test_there_are_enough_hand_written_prompts_of_every_style_in_each_split() -> None:
    splits = {name: hand_written(name) for name in ("validation", "test", "check")}
    assert sum(map(len, splits.values())) >= 600
    for prompts in splits.values():
        assert set(Counter(item.style for item in prompts)) == set(STYLES)
    seen = {item.prompt for item in splits["validation"]}
    assert not seen & {item.prompt for name in ("test", "check") for item in splits[name]}


def test_slips_of_the_keyboard_are_repaired() -> None:
    words = ["thermal", "visible", "overexposed", "contrast", "stripes", "brighten", "highlight"]
    speller = Speller(dict.fromkeys(words, 1), frozenset())
    rng = random.Random(0)
    slips = [(word, misspell(word, rng, 1.0)) for word in words * 20]
    assert sum(slip != word for word, slip in slips) > 100
    assert all(speller.repair(slip) == word for word, slip in slips)


@pytest.mark.parametrize("word", ["stripe", "nosy", "hazel", "rein", "clod", "IR", "42"])
def test_real_words_are_left_alone(word: str) -> None:
    speller = Speller(
        {"striped": 1, "noisy": 1, "haze": 1, "rain": 1, "cold": 1}, {"stripe", "nosy", "hazel", "rein", "clod"}
    )
    assert speller.repair(word) == word


def test_stretched_and_joined_words() -> None:
    speller = Speller({"foggy": 2, "so": 2, "low": 1, "light": 1}, frozenset())
    assert speller.repair("foggyyyy") == "foggy"
    assert speller.repair("lowlight") == "low light"


@given(st.text("abcde", max_size=8), st.text("abcde", max_size=8))
def test_the_edit_distance_is_symmetric_and_zero_only_for_equal_words(first: str, second: str) -> None:
    distance = edit_distance(first, second, 9)
    assert distance == edit_distance(second, first, 9)
    assert (distance == 0) == (first == second)
    assert distance >= abs(len(first) - len(second))
    assert edit_distance(first, second, 1) == min(distance, 2)


@given(st.text(max_size=60))
def test_words_lie_where_they_say(text: str) -> None:
    text = clean(text)
    assert all(text[word.start : word.end] == word.text for word in split_words(text))


def test_figures_count_what_they_say() -> None:
    pytest.importorskip("torch")
    from lexifuse.training.language.evaluation import evaluate

    prompts = hand_written("validation")
    labels = {item.prompt: item.instruction for item in prompts}
    perfect = evaluate(prompts, lambda prompt: Reading(prompt, labels[prompt]))
    assert all(row["everything"] == row["severity"] == 1.0 for row in perfect.values())
    blind = evaluate(prompts, lambda prompt: Reading(prompt, type(prompts[0].instruction)()))
    assert blind["sentence"]["degradations"] < 0.3
    assert blind["severity"]["severity"] == 0.0
    assert blind["nonsense"]["everything"] == 1.0
