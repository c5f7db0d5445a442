"""Numbers in a prompt: what they set, what the account quotes, and which of them are no amounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lexifuse
from lexifuse.datasets.synthetic import render_scene
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language import read_prompt
from lexifuse.language.amounts import take_out

_SCRAPS = (
    "haze noise 90 % 0.3 8 / 10 ( ) : = level of by at 70 percent infrared visible the , and - balance 2 stops 1e9"
)


def severities(prompt: str) -> dict[str, float]:
    instruction = read_prompt(prompt).instruction
    return {name: instruction.severity(name) for name in DEGRADATIONS if instruction.severity(name)}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("haze 90 %", {"visible.haze": 0.9}),
        ("haze: 0.9", {"visible.haze": 0.9}),
        ("noise 0,3", {"visible.noise": 0.3}),
        ("the visible image is hazy (severity 0.75)", {"visible.haze": 0.75}),
        ("remove 50% of the haze", {"visible.haze": 0.5}),
        ("denoise by 20 percent", {"visible.noise": 0.2}),
        ("low light level 8/10", {"visible.low_light": 0.8}),
        ("haze level 3 of 5", {"visible.haze": 0.6}),
        ("dark, about 90 percent", {"visible.low_light": 0.9}),
        # Each number belongs to what stands beside it.
        ("haze 0.9 noise 0.3", {"visible.haze": 0.9, "visible.noise": 0.3}),
        ("90% haze and 30% noise", {"visible.haze": 0.9, "visible.noise": 0.3}),
        ("the infrared is 30% noisy, the visible 70 % noisy", {"infrared.noise": 0.3, "visible.noise": 0.7}),
        ("both are 50% noisy", {"infrared.noise": 0.5, "visible.noise": 0.5}),
        ("noise in the infrared: 30 %", {"infrared.noise": 0.3}),
        ("very dark, rain 40 %", {"visible.low_light": 0.9, "visible.rain": 0.4}),
        ("haze 0 %, rain 50 %", {"visible.rain": 0.5}),
        ("infrared noise 20%, visible noise 80%", {"infrared.noise": 0.2, "visible.noise": 0.8}),
        ("20% noise in the infrared and 80% in the visible", {"infrared.noise": 0.2, "visible.noise": 0.8}),
        ("noise: infrared 20 %, visible 80 %", {"infrared.noise": 0.2, "visible.noise": 0.8}),
        ("visible.haze=0.8, infrared.stripes=0.4", {"visible.haze": 0.8, "infrared.stripes": 0.4}),
        ("rain 8 out of 10", {"visible.rain": 0.8}),
        ("haze .4", {"visible.haze": 0.4}),
        ("haze 1", {"visible.haze": 1.0}),
        ("make it 20% brighter", {"visible.low_light": 0.2}),
        ("brightness +30%", {"visible.low_light": 0.3}),
        ("increase the contrast 20%", {"infrared.low_contrast": 0.2}),
        ("haze between 40 and 60 %", {"visible.haze": 0.5}),
        ("more than 80 % noise", {"visible.noise": 0.8}),
    ],
)
def test_a_number_says_how_much(prompt: str, expected: dict[str, float]) -> None:
    assert severities(prompt) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prompt", "balance"),
    [
        ("70% infrared", 0.4),
        ("20 % thermal", -0.6),
        ("a 70 % infrared blend please", 0.4),
        ("30 % more thermal", 0.3),
        ("20% less of the infrared", -0.2),
        ("use 30% visible and 70% infrared", 0.4),
        ("80 % of the visible image", -0.6),
        ("infrared 80%, keep the colours", 0.6),
        ("balance -0.4", -0.4),
        ("balance: 0.5", 0.5),
        ("50 % thermal, 50 % rgb", 0.0),
        ("ir 70% vis 30%", 0.4),
        ("visible 70 % infrared 30 %", -0.4),
        ("give the thermal 30 percent of the weight", -0.4),
        ("show only infrared", 1.0),
        ("80/20 thermal/visible", 0.6),
        ("60/40 thermal to visible", 0.2),
        ("60-40 in favour of the visible", -0.2),
        ("visible only", -1.0),
        ("without infrared", -1.0),
        ("ignore the visible image completely", 1.0),
    ],
)
def test_a_share_of_a_picture_is_a_balance(prompt: str, balance: float) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.balance == pytest.approx(balance)
    assert reading.instruction.asked_for() == () and reading.not_understood == ()


def test_the_account_quotes_the_number() -> None:
    reading = read_prompt("the visible image is hazy (90 %); 70 % infrared")
    assert ("(90 %)", "visible.haze") in reading.understood
    assert [words for words, field in reading.understood if field == "balance"] == ["70 % infrared"]
    assert reading.unsure == ()


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        ("brighten it by 2 stops", "by 2 stops"),
        ("200% brighter", "200%"),
        ("haze level 7", "level 7"),
        ("haze 5", "5"),
        ("haze -0.5", "-0.5"),
        ("gaussian noise, sigma=0.1", "=0.1"),
        ("haze 40 %, 60 %", "60 %"),
        ("contrast 30 %", "30 %"),
    ],
)
def test_a_number_of_an_unknown_scale_is_reported(prompt: str, number: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.asked_for() and number in reading.not_understood


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("make 2 people stand out", "make people stand out"),
        ("I am 90% sure that it is foggy", "I am sure that it is foggy"),
        ("at 7 it was dark", "it was dark"),
        ("it was dark at 9:30", "it was dark"),
        ("the 8-bit infrared is flat", "the infrared is flat"),
        ("the photo from 3/11 is dark", "the photo is dark"),
        ("not 100% sharp", "not sharp"),
        ("grain, RGB only", "grain, RGB"),
        ("denoise the infrared only", "denoise the infrared"),
    ],
)
def test_numbers_of_other_things_set_nothing(prompt: str, plain: str) -> None:
    assert read_prompt(prompt).instruction == read_prompt(plain).instruction


def test_zero_percent_denies_what_the_pixels_see() -> None:
    reading = read_prompt("haze 0 %")
    assert reading.instruction.is_plain and "visible.haze" in reading.denied


def test_what_is_given_as_a_number_stands_against_the_pixels() -> None:
    scene = render_scene(3)
    fuser = lexifuse.load("compact")
    said = fuser.fuse(scene.infrared, scene.visible, "hazy")
    given_as_number = fuser.fuse(scene.infrared, scene.visible, "haze 60 %")
    assert said.carried_out.visible.haze < 0.3 and said.notes
    assert given_as_number.carried_out.visible.haze == 0.6


@given(st.lists(st.sampled_from(_SCRAPS.split()), max_size=14).map(" ".join))
def test_any_mixture_of_numbers_is_read(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert all(words in prompt for words, _ in reading.understood)


@given(st.lists(st.sampled_from(["haze", ",", "is", "30", "%", "noisy", "(", "0.5", ")", "/"]), max_size=12))
def test_words_and_amounts_share_the_prompt(words: list[str]) -> None:
    remaining, amounts = take_out(words)
    taken = [index for amount in amounts for index in range(amount.first, amount.last + 1)]
    assert sorted([*remaining, *taken]) == list(range(len(words)))
    assert all(amount.value is None or 0 <= amount.value <= 1 for amount in amounts)
