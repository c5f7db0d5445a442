"""Words to an instruction: what is asked for, what is not, in whose words, and what nonsense does not do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lexifuse.cli.explain import explain
from lexifuse.errors import InputError, LexifuseError, UsageError
from lexifuse.instruction import HIGHLIGHTS, Instruction
from lexifuse.language import Reading, read_prompt


def asked(prompt: str) -> set[str]:
    return set(read_prompt(prompt).instruction.asked_for())


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("the visible image is dark", {"visible.low_light"}),
        ("the infrared image is noisy", {"infrared.noise"}),
        ("the heat camera is noisy while the colour camera is perfect", {"infrared.noise"}),
        ("the colour camera is noisy while the heat camera is perfect", {"visible.noise"}),
        ("both images are noisy", {"visible.noise", "infrared.noise"}),
        ("no haze, only rain", {"visible.rain"}),
        ("do not brighten it", set()),
        ("the infrared is fine, only the colour image is dark", {"visible.low_light"}),
        ("dark and foggy; the thermal image has stripes", {"visible.low_light", "visible.haze", "infrared.stripes"}),
        ("overexposed", {"visible.over_exposure"}),
        ("the photo is out of focus", {"visible.blur"}),
        ("the thermal image lacks contrast", {"infrared.low_contrast"}),
        ("fuse the two images", set()),
    ],
)
def test_damage_negation_and_camera(prompt: str, expected: set[str]) -> None:
    assert asked(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "name", "severity"),
    [
        ("slightly dark visible image", "visible.low_light", 0.3),
        ("the visible image is dark", "visible.low_light", 0.6),
        ("the visible image is pitch black", "visible.low_light", 0.9),
        ("a bit of haze", "visible.haze", 0.3),
        ("extremely noisy thermal image", "infrared.noise", 0.9),
    ],
)
def test_wording_decides_the_severity(prompt: str, name: str, severity: float) -> None:
    assert read_prompt(prompt).instruction.severity(name) == pytest.approx(severity, abs=0.15)


def test_what_is_not_asked_for_is_exactly_zero() -> None:
    reading = read_prompt("remove the rain")
    assert [reading.instruction.severity(n) for n in ("visible.haze", "visible.noise", "infrared.noise")] == [0, 0, 0]


def test_wishes() -> None:
    reading = read_prompt("make the cyclists pop, keep the colours, and do not let the thermal dominate")
    assert reading.instruction.highlight == ("cyclist",)
    assert "cyclists" in reading.phrases["cyclist"]
    assert reading.instruction.keep_colour and not reading.instruction.keep_texture
    assert reading.instruction.balance < 0
    assert read_prompt("more infrared").instruction.balance > 0
    assert read_prompt("where are the survivors?").instruction.highlight == ("person",)
    assert read_prompt("do not highlight the cars").instruction.highlight == ()


def test_typos_are_repaired_and_said() -> None:
    reading = read_prompt("the thermla image is nosiy")
    assert reading.instruction.asked_for() == ("infrared.noise",)
    assert dict(reading.corrections) == {"thermla": "thermal", "nosiy": "noisy"}


def test_the_account_is_in_the_words_of_the_user() -> None:
    prompt = "Pitch  DARK colour image; make the Cyclists stand out"
    reading = read_prompt(prompt)
    fields = {field: words for words, field in reading.understood}
    assert "DARK" in fields["visible.low_light"]
    assert "Cyclists" in fields["highlight: cyclist"]
    assert all(words in prompt for words in fields.values())


def test_british_and_american_spelling_read_the_same() -> None:
    assert (
        read_prompt("keep the colors and emphasize the gray truck").instruction
        == read_prompt("keep the colours and emphasise the grey truck").instruction
    )


def test_unknown_words_are_reported_and_not_guessed() -> None:
    reading = read_prompt("the visible image is dark and quibbletastic")
    assert reading.instruction.asked_for() == ("visible.low_light",)
    assert reading.not_understood == ("quibbletastic",)


@pytest.mark.parametrize(
    "prompt", ["das Bild ist zu dunkel", "图像很暗，有雾", "l'image est sombre", "изображение темное"]
)
def test_other_languages_are_not_taken_for_english(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.is_plain
    assert reading.not_understood


@pytest.mark.parametrize("prompt", ["", " ", "\n\t", "\0\x07", "😀😀", "???", "12345"])
def test_prompts_without_words_ask_for_nothing(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.is_plain
    assert reading.prompt == prompt


def test_emoji_and_control_characters_do_not_hide_the_words() -> None:
    assert asked("the visible\x00 image is dark 😀\x07") == {"visible.low_light"}


def test_ten_thousand_characters_are_read_to_the_end() -> None:
    filler = "Please fuse the infrared and the visible image. " * 205
    assert asked(filler + "The thermal image has stripes.") == {"infrared.stripes"}


def test_a_prompt_must_be_text() -> None:
    with pytest.raises(UsageError, match="a prompt is text"):
        read_prompt(3)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
@example("a" * 500)
@example("﷽ｄａｒｋ ŉ ½")
@example("'" * 50)
def test_any_text_gives_a_reading_that_survives_json(prompt: str) -> None:
    reading = read_prompt(prompt)
    data = json.loads(json.dumps(reading.to_dict()))
    assert data["prompt"] == prompt
    assert Instruction.from_dict({key: data[key] for key in Instruction().to_dict()}) == reading.instruction
    assert 0.5 <= reading.confidence <= 1.0
    assert set(reading.phrases) == set(reading.instruction.highlight) <= set(HIGHLIGHTS)


def test_reading_is_fast() -> None:
    read_prompt("the visible image is dark")
    times = []
    for _ in range(30):
        started = time.process_time()
        read_prompt("the visible image is dark and noisy, and the thermal image has faint stripes; highlight people")
        times.append(time.process_time() - started)
    assert sorted(times)[len(times) // 2] < 0.012, "5 ms a prompt is the goal; this allows for a slow machine"


def test_importing_the_reader_loads_no_network() -> None:
    code = "import sys, lexifuse.language; sys.exit('onnxruntime' in sys.modules or 'tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestExplain:
    @pytest.fixture
    def app(self) -> typer.Typer:
        app = typer.Typer()
        app.command()(explain)
        return app

    def test_json_has_the_promised_fields(self, app: typer.Typer) -> None:
        result = CliRunner().invoke(app, ["it is very foggy", "--json"])
        data = json.loads(result.stdout)
        assert data["visible"]["haze"] >= 0.7
        assert set(data["infrared"]) == {"low_contrast", "noise", "stripes"}
        assert {"balance", "keep_colour", "keep_texture", "highlight", "not_understood", "unsure"} <= set(data)

    def test_plain_words_name_what_was_not_understood(self, app: typer.Typer) -> None:
        out = CliRunner().invoke(app, ["dark and quibbletastic"]).stdout
        assert "brighten the dark visible image" in out
        assert "not understood: quibbletastic" in out

    def test_a_file_gives_a_json_object_per_line(self, app: typer.Typer, tmp_path: Path) -> None:
        path = tmp_path / "prompts.txt"
        path.write_bytes("it rains\r\n\nthermal stripes\n".encode("utf-8-sig"))
        rows = [json.loads(line) for line in CliRunner().invoke(app, ["--file", str(path)]).stdout.splitlines()]
        assert [row["prompt"] for row in rows] == ["it rains", "", "thermal stripes"]
        assert rows[0]["visible"]["rain"] > 0 and rows[2]["infrared"]["stripes"] > 0

    @pytest.mark.parametrize("call", [[], ["fog", "--file", "x.txt"]])
    def test_prompt_or_file_and_not_both(self, app: typer.Typer, call: list[str]) -> None:
        assert isinstance(CliRunner().invoke(app, call).exception, UsageError)

    def test_a_file_that_cannot_be_read_is_named(self, app: typer.Typer, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
        for path in (tmp_path / "missing", tmp_path / "binary"):
            error = CliRunner().invoke(app, ["--file", str(path)]).exception
            assert isinstance(error, InputError) and str(path) in str(error)


def test_a_damaged_reader_says_so(tmp_path: Path) -> None:
    from lexifuse.language.network import SHIPPED, LanguageNetwork
    from lexifuse.models import find_model

    for path in SHIPPED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "reader.onnx").write_bytes(b"broken")
    with pytest.raises(LexifuseError, match="damaged"):
        LanguageNetwork(find_model(tmp_path))


def test_a_reading_can_be_made_without_the_network() -> None:
    assert Reading("fog", Instruction()).to_dict()["in_words"] == "a plain, faithful fusion"


@pytest.mark.parametrize(
    ("prompt", "denied"),
    [
        ("no haze, only rain", {"visible.haze"}),
        ("infrared contrast is fine", {"infrared.low_contrast"}),
        ("do not brighten it", {"visible.low_light"}),
        ("leave the noise alone", {"visible.noise", "infrared.noise"}),
        ("the infrared is fine, only the colour image is dark",
         {"infrared.low_contrast", "infrared.noise", "infrared.stripes"}),
        ("the visible image is dark, the thermal one is noisy", set()),
        ("make people stand out", set()),
        ("not noisy, not dark - just combine them", {"visible.low_light", "visible.noise", "infrared.noise"}),
        ("leave the infrared untouched", {"infrared.low_contrast", "infrared.noise", "infrared.stripes"}),
        ("", set()),
    ],
)  # fmt: skip
def test_what_words_deny_is_told(prompt: str, denied: set[str]) -> None:
    assert set(read_prompt(prompt).denied) == denied


VEHICLES = ("car", "truck", "bus", "motorcycle")


@pytest.mark.parametrize(
    ("prompt", "objects", "phrase"),
    [
        ("highlight all vehicles", VEHICLES, "all vehicles"),
        ("bring out the traffic", VEHICLES, "the traffic"),
        ("highlight vehicles but not trucks", ("car", "bus", "motorcycle"), "vehicles"),
        ("I need to see traffic signs clearly", ("traffic sign",), "traffic signs"),
        ("don't highlight vehicles", (), ""),
    ],
)
def test_a_word_for_a_whole_group_asks_for_all_of_it(prompt: str, objects: tuple[str, ...], phrase: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.highlight == objects
    assert all(phrase in words for words in reading.phrases.values())


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("the visible image is dark, the thermal one is noisy; make people stand out",
         {"visible.low_light", "infrared.noise"}),
        ("the visible picture is hazy, the infrared one is noisy", {"visible.haze", "infrared.noise"}),
        ("thermal is noisy, the visible too", {"visible.noise", "infrared.noise"}),
        ("Denoise both images and destripe the infrared one.",
         {"visible.noise", "infrared.noise", "infrared.stripes"}),
        ("the IR is grainy, the RGB is crisp", {"infrared.noise"}),
        ("make the RGB crisp", {"visible.blur"}),
    ],
)  # fmt: skip
def test_damage_belongs_to_the_camera_of_its_clause(prompt: str, expected: set[str]) -> None:
    assert asked(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("what's the weather like tomorrow?", "weather"),
        ("bad weather", "weather"),
        ("colour contrast is poor", "contrast"),
    ],
)
def test_what_says_too_little_is_reported_and_not_guessed(prompt: str, word: str) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.is_plain
    assert word in reading.not_understood


def test_words_of_chats_are_read() -> None:
    reading = read_prompt("pls make the ppl glow")
    assert reading.instruction.highlight == ("person",)
    assert dict(reading.corrections) == {"pls": "please", "ppl": "people"}


def test_damage_that_is_not_known_of_a_source_is_not_understood() -> None:
    reading = read_prompt("the infrared image is blurred")
    assert reading.instruction.is_plain
    assert "blurred" in reading.not_understood
    assert "blurred" not in read_prompt("the visible image is blurred").not_understood


@pytest.mark.parametrize(
    ("prompt", "brought_out", "not_understood"),
    [
        ("hide the people", (), ("hide",)),
        ("erase the cars but bring out the people", ("person",), ("erase",)),
        ("remove people and cars", (), ("remove",)),
        ("the fog hides the people", ("person",), ()),
        ("do not hide the people", ("person",), ()),
        ("remove the rain so that people stand out", ("person",), ()),
        ("dont highlight people", (), ()),
    ],
)
def test_nobody_is_brought_out_who_shall_be_hidden(
    prompt: str, brought_out: tuple[str, ...], not_understood: tuple[str, ...]
) -> None:
    reading = read_prompt(prompt)
    assert reading.instruction.highlight == brought_out and reading.not_understood == not_understood
