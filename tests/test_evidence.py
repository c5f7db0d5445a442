"""Words against pixels: what is plainly not there is hardly repaired, what may be is, and who insists is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexifuse import Fuser, Instruction, read_prompt
from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.evidence import LEAST, limits, weigh
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language import Reading
from lexifuse.pixels import to_float

BRIGHT_PICTURE = np.full((8, 8, 3), 200, np.uint8)
DIM_PICTURE = np.full((8, 8, 3), 63, np.uint8)
HAZE, DARK = "visible.haze", "visible.low_light"


def probabilities(value: float) -> dict[str, float]:
    return dict.fromkeys(DEGRADATIONS, value)


@given(
    probability=st.floats(0, 1),
    severities=st.dictionaries(st.sampled_from(DEGRADATIONS), st.floats(0, 1)),
    by_hand=st.sets(st.sampled_from(DEGRADATIONS)),
)
def test_severities_only_shrink_and_never_by_more_than_the_least_share(
    probability: float, severities: dict[str, float], by_hand: set[str]
) -> None:
    asked = Instruction().with_values(severities)
    left = weigh(asked, by_hand, probabilities(probability), BRIGHT_PICTURE).instruction
    for name in DEGRADATIONS:
        assert LEAST * asked.severity(name) - 1e-9 <= left.severity(name) <= asked.severity(name)
        if name in by_hand or probability >= limits(name)[1]:
            assert left.severity(name) == asked.severity(name)


def test_wishes_stand_whatever_the_pixels_say() -> None:
    asked = Instruction(balance=0.5, keep_colour=True, highlight=("person",)).with_values({HAZE: 0.6})
    weighed = weigh(asked, (), probabilities(0.0), BRIGHT_PICTURE)
    assert weighed.instruction == asked.with_values({HAZE: LEAST * 0.6})
    assert len(weighed.notes) == 1 and HAZE in weighed.notes[0]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_more_probable_the_damage_the_more_is_repaired(name: str) -> None:
    asked = Instruction().with_values({name: 0.8})
    plainly_absent, possible = limits(name)
    steps = np.geomspace(plainly_absent / 2, possible * 2, 20)
    left = [weigh(asked, (), probabilities(p), BRIGHT_PICTURE).instruction.severity(name) for p in steps]
    assert left == sorted(left) and left[0] == pytest.approx(LEAST * 0.8) and left[-1] == 0.8


def test_whether_a_dim_picture_is_too_dark_is_a_matter_of_taste() -> None:
    asked = Instruction().with_values({DARK: 0.6})
    assert weigh(asked, (), probabilities(0.0), DIM_PICTURE).instruction == asked
    assert weigh(asked, (), probabilities(0.0), BRIGHT_PICTURE).instruction.severity(DARK) < 0.1


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
def test_right_words_are_carried_out_in_full(fuser: Fuser, day: Scene, degradation: str) -> None:
    damaged = degrade_pair(day.infrared, day.visible, {degradation: 0.8}, seed=2, depth=day.depth)
    asked = Instruction().with_values({degradation: 0.8})
    result = fuser.fuse(*damaged, Reading("", asked))
    assert result.carried_out == asked and not any("left nearly alone" in note for note in result.notes)


def test_a_network_that_hears_words_is_not_told_of_what_is_plainly_not_there(day: Scene) -> None:
    from lexifuse import load

    session = load("text-if-small").session(day.infrared, day.visible)
    told, insisted = session.fuse("it is hazy"), session.fuse("it is hazy", insist=True)
    np.testing.assert_array_equal(told.image, session.fuse().image)
    assert told.instruction == insisted.carried_out != told.carried_out
    assert np.abs(insisted.image.astype(int) - told.image).max() > 2
