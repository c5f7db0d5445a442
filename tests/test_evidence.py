"""Words and pixels: these say how much, what is plainly not there is hardly repaired, and who insists is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexifuse import Fuser, Instruction, read_prompt
from lexifuse.automatic import PixelReading
from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.evidence import LEAST, limits, weigh, within
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS
from lexifuse.language import Reading
from lexifuse.pixels import to_float

BRIGHT_PICTURE = np.full((8, 8, 3), 200, np.uint8)
DIM_PICTURE = np.full((8, 8, 3), 63, np.uint8)
HAZE, DARK = "visible.haze", "visible.low_light"


def seen(probability: float, severity: float = 0.6) -> PixelReading:
    """Pixels that hold every degradation for as likely, and for as bad."""
    return PixelReading(Instruction(), dict.fromkeys(DEGRADATIONS, probability), dict.fromkeys(DEGRADATIONS, severity))


@given(
    probability=st.floats(0, 1),
    severity=st.floats(0, 1),
    severities=st.dictionaries(st.sampled_from(DEGRADATIONS), st.floats(0, 1)),
    by_hand=st.sets(st.sampled_from(DEGRADATIONS)),
)
def test_severities_stay_within_what_was_said_and_above_the_least_share(
    probability: float, severity: float, severities: dict[str, float], by_hand: set[str]
) -> None:
    asked = Instruction().with_values(severities)
    left = weigh(asked, by_hand, seen(probability, severity), BRIGHT_PICTURE).instruction
    for name in DEGRADATIONS:
        if name in by_hand or asked.severity(name) < ASKED_FOR:
            assert left.severity(name) == asked.severity(name)
            continue
        said = asked.severity(name)
        found = within(said, severity)
        assert LEAST * min(said, found) - 1e-3 <= left.severity(name) <= max(said, found) + 1e-3
        if probability >= limits(name)[1]:
            assert left.severity(name) == pytest.approx(found, abs=1e-3)
        if probability <= limits(name)[0]:
            assert left.severity(name) == pytest.approx(LEAST * said, abs=1e-3)


@given(said=st.floats(ASKED_FOR, 1), severity=st.floats(0, 1))
def test_slight_stays_slight_and_severe_severe(said: float, severity: float) -> None:
    found = within(said, severity)
    assert ASKED_FOR <= found <= 1.0
    assert (found < 0.45) if said < 0.45 else (found >= 0.75) if said >= 0.75 else (found == max(severity, ASKED_FOR))


@given(st.integers(20, 100))
def test_what_the_pixels_asked_for_themselves_stands(percent: int) -> None:
    severity = percent / 100
    asked = Instruction().with_values({HAZE: severity})
    assert weigh(asked, (), seen(1.0, severity), BRIGHT_PICTURE).instruction == asked


def test_wishes_stand_whatever_the_pixels_say() -> None:
    asked = Instruction(balance=0.5, keep_colour=True, highlight=("person",)).with_values({HAZE: 0.6})
    weighed = weigh(asked, (), seen(0.0), BRIGHT_PICTURE)
    assert weighed.instruction == asked.with_values({HAZE: LEAST * 0.6})
    assert len(weighed.notes) == 1 and HAZE in weighed.notes[0]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_more_probable_the_damage_the_more_is_repaired(name: str) -> None:
    asked = Instruction().with_values({name: 0.8})
    plainly_absent, possible = limits(name)
    steps = np.geomspace(plainly_absent / 2, possible * 2, 20)
    left = [weigh(asked, (), seen(p, 0.8), BRIGHT_PICTURE).instruction.severity(name) for p in steps]
    assert left == sorted(left) and left[0] == pytest.approx(LEAST * 0.8) and left[-1] == 0.8


def test_doubt_counts_once() -> None:
    asked = Instruction().with_values({HAZE: 0.6})
    left = [weigh(asked, (), seen(0.012, bad), BRIGHT_PICTURE).instruction.severity(HAZE) for bad in (0.2, 0.6, 1.0)]
    doubted = left[1] / 0.6
    assert 0.3 < doubted < 0.5 and left[0] < left[1] < left[2] < 2 * left[0]


def test_whether_a_dim_picture_is_too_dark_is_a_matter_of_taste() -> None:
    asked = Instruction().with_values({DARK: 0.6})
    assert weigh(asked, (), seen(0.0), DIM_PICTURE).instruction == asked
    assert weigh(asked, (), seen(0.0), BRIGHT_PICTURE).instruction.severity(DARK) < 0.1


@pytest.mark.parametrize("degradation", ["visible.haze", "visible.low_light", "infrared.low_contrast"])
def test_the_worse_the_damage_the_more_the_same_words_repair(fuser: Fuser, day: Scene, degradation: str) -> None:
    words = {DARK: "it is dark", HAZE: "it is hazy", "infrared.low_contrast": "the infrared is low in contrast"}
    slight, severe = (
        fuser.fuse(*degrade_pair(day.infrared, day.visible, {degradation: s}, seed=2), words[degradation])
        for s in (0.35, 1.0)
    )
    assert slight.instruction == severe.instruction
    assert slight.carried_out.severity(degradation) + 0.2 < severe.carried_out.severity(degradation)


def test_who_says_how_much_is_heard(fuser: Fuser, day: Scene) -> None:
    damaged = degrade_pair(day.infrared, day.visible, {HAZE: 1.0}, seed=2, depth=day.depth)
    session = fuser.session(*damaged)
    assert session.fuse("slightly hazy").carried_out.severity(HAZE) < 0.45
    assert session.fuse("severely hazy").carried_out.severity(HAZE) >= 0.75
    assert session.fuse("haze: 55 %").carried_out.severity(HAZE) == 0.55
    assert session.fuse("hazy", insist=True).carried_out.severity(HAZE) == 0.6


def test_wrong_words_do_less_than_the_same_by_hand_and_say_so(fuser: Fuser, day: Scene) -> None:
    words = "the visible image is over-exposed, hazy and blurred"
    session = fuser.session(day.infrared, day.visible)
    plain, told = session.fuse(), session.fuse(words)
    severities = {name: told.instruction.severity(name) for name in DEGRADATIONS}
    by_hand = session.fuse(read_prompt("").with_settings(severities))
    insisted = session.fuse(words, insist=True)
    np.testing.assert_array_equal(by_hand.image, insisted.image)
    np.testing.assert_array_equal(session.fuse(told.instruction).image, insisted.image)

    def change(image: np.ndarray) -> float:
        return float(np.abs(to_float(image) - to_float(plain.image)).mean())

    assert change(told.image) < 0.3 * change(insisted.image)
    assert told.instruction == insisted.instruction == insisted.carried_out != told.carried_out
    assert any("over_exposure" in note for note in told.notes) and not any("left nearly" in n for n in insisted.notes)


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_right_words_are_carried_out(fuser: Fuser, day: Scene, degradation: str) -> None:
    damaged = degrade_pair(day.infrared, day.visible, {degradation: 0.8}, seed=2, depth=day.depth)
    asked = Instruction().with_values({degradation: 0.6})
    result = fuser.fuse(*damaged, Reading("", asked))
    assert result.carried_out.asked_for() == (degradation,) and result.carried_out.severity(degradation) >= 0.35
    assert not any("left nearly alone" in note for note in result.notes)


def test_a_network_that_hears_words_is_not_told_of_what_is_plainly_not_there(day: Scene) -> None:
    from lexifuse import load

    session = load("text-if-small").session(day.infrared, day.visible)
    told, insisted = session.fuse("it is hazy"), session.fuse("it is hazy", insist=True)
    np.testing.assert_array_equal(told.image, session.fuse().image)
    assert told.instruction == insisted.carried_out != told.carried_out
    assert np.abs(insisted.image.astype(int) - told.image).max() > 2


def test_a_sentence_says_itself_how_much(day: Scene) -> None:
    from lexifuse import load

    damaged = degrade_pair(day.infrared, day.visible, {DARK: 1.0}, seed=2)
    result = load("text-if-small").fuse(*damaged, "it is dark")
    assert result.carried_out == result.instruction and not result.notes
