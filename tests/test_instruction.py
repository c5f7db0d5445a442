"""The instruction: validation, plain words, JSON, overrides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexifuse import Instruction
from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS, VisibleSeverities

severities = st.dictionaries(st.sampled_from(DEGRADATIONS), st.floats(0, 1))
instructions = st.builds(
    lambda values, balance, colour, texture, objects: Instruction().with_values(
        {**values, "balance": balance, "keep_colour": colour, "keep_texture": texture, "highlight": objects}
    ),
    severities,
    st.floats(-1, 1),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(HIGHLIGHTS), max_size=4),
)


@given(instructions)
def test_json_round_trip(instruction: Instruction) -> None:
    assert Instruction.from_json(instruction.to_json()) == instruction
    assert Instruction.from_dict(json.loads(json.dumps(instruction.to_dict()))) == instruction


@given(instructions)
def test_plain_words_mention_everything_asked_for(instruction: Instruction) -> None:
    words = str(instruction)
    assert all(name in words for name in instruction.highlight)
    assert instruction.is_plain == (words == "a plain, faithful fusion")
    for name in instruction.asked_for():
        assert f"{instruction.severity(name):.2f}" in words


def test_json_form_has_the_promised_shape() -> None:
    assert Instruction.from_dict({"visible": {"low_light": 0.8}, "highlight": ["person"]}).to_dict() == {
        "visible": {"low_light": 0.8, "over_exposure": 0.0, "noise": 0.0, "haze": 0.0, "rain": 0.0, "blur": 0.0},
        "infrared": {"low_contrast": 0.0, "noise": 0.0, "stripes": 0.0},
        "balance": 0.0,
        "keep_colour": False,
        "keep_texture": False,
        "highlight": ["person"],
    }


def test_overrides_take_text_as_the_command_line_gives_it() -> None:
    instruction = Instruction().with_values(
        {"visible.low_light": "0.8", "haze": "0.4", "balance": "-0.3", "keep_color": "yes", "highlight": "car, person"}
    )
    assert instruction.visible.low_light == 0.8
    assert instruction.visible.haze == 0.4
    assert instruction.balance == -0.3
    assert instruction.keep_colour
    assert instruction.highlight == ("person", "car")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visible.hase": 0.5}, "unknown field 'visible.hase': did you mean 'visible.haze'?"),
        ({"noise": 0.5}, "'noise' could be visible.noise or infrared.noise: write the one you mean"),
        ({"visible.haze": 1.2}, "visible.haze must be from 0 to 1, not 1.2"),
        ({"visible.haze": "lots"}, "visible.haze must be a number from 0 to 1, not 'lots'"),
        ({"visible.haze": float("nan")}, "visible.haze must be from 0 to 1, not nan"),
        ({"visible.haze": True}, "visible.haze must be a number from 0 to 1, not True"),
        ({"balance": -3}, "balance must be from -1 to 1, not -3"),
        ({"keep_colour": "perhaps"}, "keep_colour must be true or false, not 'perhaps'"),
        ({"highlight": "persn"}, "unknown object 'persn': did you mean 'person'?"),
        ({"highlight": 4}, "highlight must be a list of object names, not 4"),
    ],
)
def test_wrong_values_are_refused_with_the_mend(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Instruction().with_values(values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"visible": {"haze": 10**400}}, "visible.haze must be from 0 to 1, not 1000"),
        ({"visible": {"haze": 10**5000}}, "visible.haze must be from 0 to 1, not a number of too many digits"),
        ({"keep_colour": 10**5000}, "keep_colour must be true or false, not a number of too many digits"),
        ({"highlight": 10**5000}, "highlight must be a list of object names"),
        ({3: 4}, "unknown field '3'"),
        ({"visible": {3: 4}}, "unknown field 'visible.3'"),
        ({"a\nb": 4}, "unknown field 'a b'"),
        ({"visble": {"rain": 1}}, "unknown field 'visble': did you mean 'visible'?"),
        ({"infra-red": {"noise": 1}}, "unknown field 'infra-red': did you mean 'infrared'?"),
        ({"visible.rain": {"rain": 1}}, "visible.rain must be a number from 0 to 1, not {'rain': 1}"),
        ({"fog": {"rain": 1}}, "unknown field 'fog'"),
    ],
)
def test_wrong_dicts_are_refused_in_one_line(data: dict[Any, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Instruction.from_dict(data)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visible": {"haze": 1}}, "visible must be given as VisibleSeverities, not {'haze': 1}: "),
        ({"infrared": VisibleSeverities()}, "infrared must be given as InfraredSeverities, not VisibleSeverities("),
        ({"visible": None}, "visible must be given as VisibleSeverities, not None: "),
    ],
)
def test_severities_of_another_kind_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Instruction(**values)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"visible": 3}', '{"visible": {"fog": 1}}', None, "9" * 5000, "[" * 100_000, b"\xff"]
)
def test_wrong_json_is_refused(text: Any) -> None:
    with pytest.raises(UsageError) as error:
        Instruction.from_json(text)
    assert "\n" not in str(error.value)


def test_conditioning_values() -> None:
    instruction = Instruction.from_dict({"infrared": {"stripes": 0.4}, "balance": -0.5, "highlight": ["cyclist"]})
    assert instruction.value("infrared.stripes") == 0.4
    assert instruction.value("balance") == -0.5
    assert instruction.value("highlight.person") == 1.0
    assert instruction.value("highlight.vehicle") == 0.0
    with pytest.raises(UsageError, match="newer lexifuse"):
        instruction.value("highlight.unicorn")
