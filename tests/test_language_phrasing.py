"""Turns of phrase: what they ask for, what they deny, whose words the account quotes, and that plain words stay."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexifuse.language import read_prompt
from lexifuse.language.clauses import clauses
from lexifuse.language.phrasing import rephrase

_SCRAPS = "no haze , rain or the isn't sharp so dark visible thermal unlike not . it"


def asked(prompt: str) -> set[str]:
    return set(read_prompt(prompt).instruction.asked_for())


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        # What is wished away is asked for.
        ("Without the haze it would be perfect.", {"visible.haze"}),
        ("If it weren't for the rain the visible would be great", {"visible.rain"}),
        ("if only the thermal weren't so noisy", {"infrared.noise"}),
        ("I don't want to see the noise in the colour picture", {"visible.noise"}),
        ("everything's fine bar the stripes in the IR", {"infrared.stripes"}),
        # Praise that is denied is a complaint.
        ("thermal contrast isn't great, can you help with that?", {"infrared.low_contrast"}),
        ("IR doesn't have enough contrast", {"infrared.low_contrast"}),
        ("the colour image is not sharp", {"visible.blur"}),
        ("the photo isn't bright enough", {"visible.low_light"}),
        # Denials reach all that they speak of.
        ("there is no rain, fog or noise in these", set()),
        ("the picture doesn't suffer from noise, blur or haze", set()),
        ("free of noise and haze", set()),
        ("the visible isn't overexposed or underexposed", set()),
        ("visible's not that noisy", set()),
        ("I don't think it's noisy", set()),
        ("it's already bright enough", set()),
        ("the fog is meant to be there", set()),
        ("there's hardly any noise", set()),
        ("dark? no. blurry? yes.", {"visible.blur"}),
        ("haze isn't the issue, rain is", {"visible.rain"}),
        ("thermal contrast is good, colour contrast too", set()),
        ("haze-free but underexposed", {"visible.low_light"}),
        # Made otherwise.
        ("make it brighter", {"visible.low_light"}),
        ("a bit brighter", {"visible.low_light"}),
        ("make the visible image lighter, please", {"visible.low_light"}),
        ("make it darker", {"visible.over_exposure"}),
        ("make it sharper and brighter", {"visible.blur", "visible.low_light"}),
        ("make it crisp", {"visible.blur"}),
        ("don't make it brighter", set()),
        ("make the infrared brighter", set()),
        ("black and white", set()),
        ("the thermal should be less noisy", {"infrared.noise"}),
        ("I would like it brighter", {"visible.low_light"}),
        ("less exposure", {"visible.over_exposure"}),
        ("twice as bright", {"visible.low_light"}),
        ("make it look like daytime", {"visible.low_light"}),
        ("more detail in the shadows", {"visible.low_light"}),
        ("taken at 2am in the woods", {"visible.low_light"}),
        ("no street lights", {"visible.low_light"}),
        ("backlit by the sun", {"visible.low_light"}),
        ("glare from oncoming cars", {"visible.over_exposure"}),
        ("night vision is grainy", {"infrared.noise"}),
        ("the infrared isn't noisy, just the rgb", {"visible.noise"}),
        ("first image is dark, second image is noisy", {"visible.low_light", "infrared.noise"}),
        ("the colours are washed out", set()),
        # Less of something is asked for, unless it is said of a camera.
        ("less noise", {"visible.noise"}),
        ("I want less fog, please", {"visible.haze"}),
        ("fewer stripes", {"infrared.stripes"}),
        ("a less foggy picture", {"visible.haze"}),
        ("less grain in the thermal", {"infrared.noise"}),
        ("not so dark", {"visible.low_light"}),
        ("make it less noisy and less dark", {"visible.noise", "visible.low_light"}),
        ("the infrared is less noisy than the visible", set()),
        ("brighten!", {"visible.low_light"}),
        # Each camera has its own.
        ("infrared noise, visible noise", {"infrared.noise", "visible.noise"}),
        ("the visible is noisy but the infrared has no noise", {"visible.noise"}),
        ("remove the rain and the noise in the thermal image", {"visible.rain", "infrared.noise"}),
        # Stripes are not noise.
        ("the thermal suffers from stripe noise of high severity", {"infrared.stripes"}),
        ("random noise and stripe noise in the thermal", {"infrared.noise", "infrared.stripes"}),
        ("chromatic noise", {"visible.noise"}),
        ("it's foggy but don't remove the fog", set()),
        ("I'd rather you didn't brighten it", set()),
        # Whose it is.
        ("infrared, not visible, is noisy", {"infrared.noise"}),
        ("the day camera is blurred and the night camera has low contrast", {"visible.blur", "infrared.low_contrast"}),
        ("unlike the thermal, the visible is noisy", {"visible.noise"}),
        ("the thermal camera, unlike the visible camera, is full of noise", {"infrared.noise"}),
        ("thermal noisy, and so is the visible", {"visible.noise", "infrared.noise"}),
        ("thermal: dull. RGB: grainy.", {"infrared.low_contrast", "visible.noise"}),
        ("overexposed visible images and noisy infrared images", {"visible.over_exposure", "infrared.noise"}),
        ("grain in the normal camera and flat contrast in the thermal one", {"visible.noise", "infrared.low_contrast"}),
        ("the daytime frame isn't too bright, just marginally fogged up", {"visible.haze"}),
        ("leave the rain streaks of the visible image alone but remove the fog", {"visible.haze"}),
        ("the thermal has good contrast but is striped", {"infrared.stripes"}),
        ("everything in the visible is milky", {"visible.haze"}),
        ("the colour one is dark, the other one is noisy", {"visible.low_light", "infrared.noise"}),
        ("the thermal is noisy and the other is dark", {"infrared.noise", "visible.low_light"}),
        ("ignore the infrared, it is noisy", {"infrared.noise"}),
        ("ignore the visible noise", set()),
        # Figures of speech.
        ("taken at ISO 12800", {"visible.noise"}),
        ("shot at ISO 100", set()),
        ("crushed shadows", {"visible.low_light"}),
        ("the darkness eats the street", {"visible.low_light"}),
        ("the street lamps are the only light", {"visible.low_light"}),
        ("exposure too low", {"visible.low_light"}),
        ("sleet everywhere", {"visible.rain"}),
        ("sandstorm", {"visible.haze"}),
        ("motion smear from the drone", {"visible.blur"}),
        ("the TIR is grainy", {"infrared.noise"}),
        ("IR looks like someone dragged a comb over it", {"infrared.stripes"}),
        ("everything's washed out in the RGB", {"visible.over_exposure"}),
        ("someone forgot to turn the lights on", {"visible.low_light"}),
        ("IR's grainy", {"infrared.noise"}),
    ],
)  # fmt: skip
def test_turns_of_phrase(prompt: str, expected: set[str]) -> None:
    assert asked(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "name", "severity"),
    [
        ("fog so thick you can't see your hand", "visible.haze", 0.9),
        ("can't see past the bonnet because of the fog", "visible.haze", 0.9),
        ("so blurred you can't read anything", "visible.blur", 0.9),
        ("thermal noise is off the charts", "infrared.noise", 0.9),
        ("the thermal is noisy beyond belief", "infrared.noise", 0.9),
        ("dark as a dungeon", "visible.low_light", 0.9),
        ("so much noise in the thermal", "infrared.noise", 0.9),
        ("very light rain", "visible.rain", 0.3),
        ("a fraction overexposed", "visible.over_exposure", 0.3),
    ],
)
def test_how_bad_it_is(prompt: str, name: str, severity: float) -> None:
    assert read_prompt(prompt).instruction.severity(name) == pytest.approx(severity, abs=0.15)


@pytest.mark.parametrize(
    ("prompt", "objects"),
    [
        ("cyclists!", ("cyclist",)),
        ("animals, not people", ("animal",)),
        ("cars and people but not buildings", ("person", "car")),
        ("not the hikers, the sheep", ("animal",)),
        ("two-wheelers should stand out", ("cyclist", "motorcycle")),
        ("who's out there?", ("person",)),
        ("find the van", ("car",)),
    ],
)
def test_objects_without_a_plain_wish(prompt: str, objects: tuple[str, ...]) -> None:
    assert read_prompt(prompt).instruction.highlight == objects


def test_the_account_stays_in_the_words_of_the_user() -> None:
    reading = read_prompt("The IR looks like someone dragged a comb over it; two-wheelers should stand out")
    fields = {field: words for words, field in reading.understood}
    assert fields["infrared.stripes"] == "looks like someone dragged a comb over it"
    assert fields["highlight: cyclist"] == fields["highlight: motorcycle"] == "two-wheelers"
    assert reading.not_understood == () and reading.corrections == ()
    assert read_prompt("Without the haze it would be perfect.").understood == (("Without the haze", "visible.haze"),)
    assert "isn't sharp" in read_prompt("the infrared is blurred and isn't sharp").not_understood


@pytest.mark.parametrize("prompt", ["12 + 7 = 19", "???", "hello, how are you today?", "good morning"])
def test_what_asks_for_nothing_is_not_understood(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.is_plain and reading.not_understood


def test_praise_is_told_as_left_alone() -> None:
    reading = read_prompt("thermal contrast is good, colour contrast too")
    assert reading.denied == ("infrared.low_contrast",) and reading.not_understood == ()
    assert read_prompt("clean up the visible, it is grainy").denied == ()


def test_words_that_are_english_too_are_not_taken_for_another_language() -> None:
    assert asked("noisy as hell") == {"visible.noise"}
    assert read_prompt("mach das Bild hell").not_understood


def test_plain_words_are_let_be() -> None:
    prompt = "the visible image is dark and the thermal image has faint stripes ; highlight people"
    words = prompt.split()
    assert [word.text for word in rephrase(words)] == words
    assert all(word.is_own and word.stop == word.start + 1 for word in rephrase(words))


@pytest.mark.parametrize(
    ("prompt", "severities"),
    [
        ("hardly visible stripes", {"infrared.stripes": 0.3}),
        ("the fog is not that bad", {"visible.haze": 0.3}),
        ("the noise is terrible in infrared and mild in visible", {"infrared.noise": 0.9, "visible.noise": 0.3}),
        ("could be much brighter", {"visible.low_light": 0.9}),
        ("I'd like it slightly brighter", {"visible.low_light": 0.3}),
        ("visible: rain, heavy; infrared: low contrast, mild", {"visible.rain": 0.9, "infrared.low_contrast": 0.3}),
        ("the thermal barely shows any difference between objects", {"infrared.low_contrast": 0.9}),
    ],
)
def test_turns_that_say_how_bad_it_is(prompt: str, severities: dict[str, float]) -> None:
    instruction = read_prompt(prompt).instruction
    assert {name: instruction.severity(name) for name in instruction.asked_for()} == pytest.approx(severities, abs=0.1)


@pytest.mark.parametrize(
    ("prompt", "balance", "objects"),
    [
        ("don't trust the IR", -0.6, ()),
        ("ignore the visible image", 0.6, ()),
        ("IR-heavy fusion", 0.6, ()),
        ("too much thermal", -0.6, ()),
        ("way too much infrared", -0.9, ()),
        ("not enough infrared", 0.6, ()),
        ("too little thermal", 0.6, ()),
        ("the infrared is too weak in the fused image", 0.6, ()),
        ("two thirds infrared", 0.6, ()),
        ("use IR for the people and RGB for everything else", 0.0, ("person",)),
        ("keep pedestrians visible", 0.0, ("person",)),
        ("overlay people on the rgb", 0.0, ("person",)),
        ("darker background, brighter people", 0.0, ("person",)),
        ("infrared as an accent only", -0.6, ()),
        ("the thermal is overpowering", -0.6, ()),
        ("don't rely so much on the thermal", -0.6, ()),
        ("can you see any cars?", 0.0, ("car",)),
        ("white car", 0.0, ("car",)),
        ("highlight everything except cars", 0.0, ()),
        ("bright people, dim background", 0.0, ("person",)),
    ],
)
def test_turns_that_weigh_and_point(prompt: str, balance: float, objects: tuple[str, ...]) -> None:
    instruction = read_prompt(prompt).instruction
    assert instruction.balance == pytest.approx(balance) and tuple(instruction.highlight) == objects
    assert not instruction.asked_for()


@given(st.lists(st.sampled_from(_SCRAPS.split())))
def test_every_plain_word_stands_for_words_of_the_user(words: list[str]) -> None:
    plain = rephrase(words)
    assert words or not plain
    if words and not plain:  # Of asides alone nothing is left, and nothing is asked.
        assert read_prompt(" ".join(words)).instruction.is_plain
    assert all(0 <= word.start < word.stop <= len(words) for word in plain)
    assert all(word.text == words[word.start] for word in plain if word.is_own)


def test_and_parts_clauses_only_where_each_speaks_of_a_camera_of_its_own() -> None:
    said = {"dark", "noisy"}
    assert clauses(["dark", "photo", "and", "noisy", "thermal"], said) == [0, 0, 0, 1, 1]
    assert clauses(["the", "photo", "and", "the", "thermal", "are", "noisy"], said) == [0] * 7
    assert clauses(["rgb", ":", "dark"], said) == [0, 0, 0]


def test_long_prompts_are_rephrased_in_linear_time() -> None:
    sentence = "no haze , rain or noise , unlike the visible , so dark that it is not very sharp ."
    words = sentence.split()

    def seconds(times: int) -> float:
        started = time.process_time()
        rephrase(words * times)
        return time.process_time() - started

    seconds(1)
    assert seconds(160) < 12 * seconds(40) + 0.05


@pytest.mark.parametrize(
    "prompt", ["the RGB has noise; so does the thermal", "the visible image is noisy and so is the infrared"]
)
def test_what_holds_for_the_other_camera_too(prompt: str) -> None:
    assert set(read_prompt(prompt).instruction.asked_for()) == {"visible.noise", "infrared.noise"}


@pytest.mark.parametrize("prompt", ["no low light", "not dark", "no darkness", "it is bright enough"])
def test_a_denial_is_understood(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert reading.denied == ("visible.low_light",) and reading.not_understood == ()


@pytest.mark.parametrize(("prompt", "word"), [("more noise", "noise"), ("rain in the infrared", "rain")])
def test_what_nobody_denies_is_no_denial(prompt: str, word: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.is_plain and reading.denied == () and word in reading.not_understood


def test_a_prompt_of_long_unknown_words_is_read() -> None:
    rng = np.random.default_rng(1)
    words = ("".join(rng.choice(list("bcdfghjklmnpqrstvwxz"), 12)) for _ in range(70))
    assert read_prompt("the photo is dark. " + " ".join(words)).instruction.asked_for() == ("visible.low_light",)
