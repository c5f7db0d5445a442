"""What the page does, without a browser: who has the last word, the history, the command line, what is told."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import lexifuse
from lexifuse.datasets.synthetic import Scene
from lexifuse.errors import InputError, LexifuseError, ModelError, OutputError, UsageError
from lexifuse.instruction import SETTABLE, Instruction
from lexifuse.pair import ImagePair

gradio = pytest.importorskip("gradio", reason="the page needs lexifuse[service]")

from lexifuse.cli import app as open_verbs
from lexifuse.cli.app import WAIT_SECONDS
from lexifuse.cli.app import app as open_page
from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.page.command import command_line
from lexifuse.service.page.encoding import shown
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.session import MOST_TRIES, Session
from lexifuse.service.page.store import Content, FileStore
from lexifuse.service.page.telling import LABELS, tell, tell_downloads, tell_error
from lexifuse.service.page.understanding import (
    Ask,
    Loaded,
    Upload,
    hand_after_words,
    moved,
    read_words,
    settled,
    values_of,
)
from lexifuse.service.page.view import title_of, viewer_value
from lexifuse.service.page.workbench import MOST_KEPT, Workbench
from lexifuse.service.server import make_server

HAZE = "visible.haze"


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(create_api(ServiceSettings(threads=1)).state.service, FileStore())


@pytest.fixture
def loaded(day: Scene) -> Loaded:
    names = {"infrared": "day ir.png", "visible": "day.png"}
    return Loaded(ImagePair(day.infrared, day.visible, name="day"), names)


# ---- the last word ----


def test_what_was_set_by_hand_stays_until_the_words_speak_of_it_anew() -> None:
    by_hand = {HAZE: 0.3, "balance": 0.5}
    before = read_words("it is foggy")
    assert hand_after_words(by_hand, before, read_words("it is foggy; keep the colours")) == by_hand
    assert hand_after_words(by_hand, before, read_words("severe fog")) == {"balance": 0.5}
    assert hand_after_words({HAZE: 0.3}, read_words("dark"), read_words("dark, but no haze")) == {}


def test_a_slider_that_shows_a_rounded_number_was_not_moved() -> None:
    shown = values_of(Instruction().with_values({HAZE: 0.6, "highlight": "person,car"}))
    assert moved(shown, shown | {HAZE: 0.604, "highlight": ["car", "person"]}) == {}
    assert moved(shown, shown | {HAZE: 0.62, "keep_colour": True}) == {HAZE: 0.62, "keep_colour": True}
    assert tuple(shown) == SETTABLE and set(LABELS) == set(SETTABLE)


def test_hand_and_words_give_what_the_command_line_gives() -> None:
    reading = settled(Ask("it is foggy and dark", by_hand={HAZE: 0.25, "infrared.noise": 0.0}))
    assert reading.instruction.severity(HAZE) == 0.25 and reading.instruction.severity("visible.low_light") > 0.2
    assert {HAZE, "infrared.noise"} == set(reading.by_hand)


def test_the_controls_tell_which_of_them_was_moved() -> None:
    session = Session(ask=Ask("foggy", model="compact"))
    session.told = session.shown = values_of(read_words("foggy").instruction)
    ask, cause = session.asked("foggy", False, "compact", session.told, session.shown | {HAZE: 0.2})
    assert (ask.by_hand, cause) == ({HAZE: 0.2}, HAZE)
    session.ask = ask
    assert session.asked("foggy", True, "compact", session.told, session.shown)[1] == "automatic"
    ask, cause = session.asked("clear, but dark", False, "compact", session.told, session.shown)
    assert (ask.by_hand, cause) == ({}, "words")


def test_what_the_page_itself_moves_is_not_moved_by_hand() -> None:
    session = Session(ask=Ask("foggy", model="compact"))
    before = session.told
    session.told = session.shown = before | {HAZE: 0.83}  # Answered, and on its way.
    ask, cause = session.asked("foggy;", False, "compact", before, before)
    assert (ask.by_hand, cause, session.overtaken) == ({}, "words", True)
    session.ask = ask
    ask, _ = session.asked("foggy;", False, "compact", session.told, session.told | {"balance": 0.5})
    assert (ask.by_hand, session.overtaken) == ({"balance": 0.5}, False)


def test_two_sliders_moved_before_an_answer_are_both_by_hand() -> None:
    session = Session(ask=Ask(model="compact"))
    told = session.told
    session.ask, first = session.asked("", False, "compact", told, told | {HAZE: 0.2})
    ask, second = session.asked("", False, "compact", told, told | {HAZE: 0.2, "balance": 0.5})
    assert (first, second) == (HAZE, "balance") and ask.by_hand == {HAZE: 0.2, "balance": 0.5}


# ---- the history ----


def test_typing_a_word_is_one_try_and_another_control_a_new_one(loaded: Loaded) -> None:
    session = Session()
    for words in ("d", "da", "dark"):
        session.record(Ask(words), loaded, words, "file", "words")
    assert [one.title for one in session.tries] == ["dark"]
    session.record(Ask("dark", automatic=True), loaded, "looked", "file", "automatic")
    session.settle()
    session.record(Ask("dark", automatic=False), loaded, "again", "file", "automatic")
    assert [one.title for one in session.tries] == ["dark", "looked", "again"]
    session.current = session.tries[0].number  # gone back to
    session.record(Ask("fog"), loaded, "fog", "file", "words")
    assert [one.title for one in session.tries] == ["dark", "looked", "again", "fog"]
    assert session.find(session.tries[1].number) == session.tries[1] and session.find(99) is None


def test_the_history_forgets_the_oldest(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    for number in range(MOST_TRIES + 5):
        session.record(Ask(str(number)), loaded, str(number), "file", "")
    assert [one.title for one in session.tries] == [str(number) for number in range(5, MOST_TRIES + 5)]
    pair = loaded.pair
    held = pair.infrared.nbytes + pair.visible.nbytes
    monkeypatch.setattr("lexifuse.service.page.session.MOST_BYTES", 2 * held)
    for number in range(3):
        session.record(Ask("other pictures"), replace(loaded), f"pair {number}", "file", "pictures")
        session.settle()
    assert [one.title for one in session.tries] == ["pair 1", "pair 2"]


def test_prompts_side_by_side_count_as_held_and_go_before_the_tries_of_other_pictures(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, held = Session(), loaded.pair.infrared.nbytes + loaded.pair.visible.nbytes
    monkeypatch.setattr("lexifuse.service.page.session.MOST_BYTES", 2 * held)
    session.compared = [session.new_try(Ask("dark"), replace(loaded), "dark", "file", "prompt")]
    for number in range(2):
        session.record(Ask("other pictures"), replace(loaded), f"pair {number}", "file", "pictures")
        session.settle()
    assert [one.title for one in session.tries] == ["pair 0", "pair 1"] and not session.compared


# ---- files ----


def test_the_store_forgets_what_was_not_asked_for_longest() -> None:
    store, made = FileStore(budget=100), []

    def make() -> Content:
        made.append(1)
        return Content(b"x", "image/png")

    first, second = store.add({"file": make}, 40), store.add({"file": make}, 40)
    assert not made and len(first) >= 16 and first != second
    assert store.get(first, "file") == store.get(first, "file") == make() and len(made) == 2
    third = store.add({"file": make}, 40)
    assert store.get(second, "file") is None and store.touch(first) and store.touch(third)
    assert store.get(first, "no such file") is None


def test_samples_are_rendered_with_their_damage_and_words_that_are_understood() -> None:
    assert len(SAMPLES) >= 4 and {sample.time for sample in SAMPLES.values()} == {"day", "dusk", "night"}
    for sample in SAMPLES.values():
        reading = read_words(sample.words)
        assert not reading.not_understood and not reading.instruction.is_plain
        assert set(sample.damage) <= set(reading.instruction.asked_for())
    preview = SAMPLES["night"].preview()
    assert preview.shape[2] == 3 and preview.dtype == np.uint8


# ---- the work ----


@pytest.mark.parametrize(
    "ask",
    [
        Ask(),
        Ask("it's foggy; make people stand out", by_hand={HAZE: 0.35, "balance": -0.25}),
        Ask("no haze", automatic=True, by_hand={"infrared.noise": 0.4, "highlight": ["car"], "keep_colour": True}),
        Ask("auto", by_hand={"highlight": []}),
        Ask("--set is only a word here"),
    ],
    ids=["nothing", "by hand", "automatic", "auto", "dashes"],
)
def test_the_command_line_makes_the_same_picture(ask: Ask, bench: Workbench, loaded: Loaded, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    outcome = bench.fuse(loaded, ask)
    for name, image in zip(loaded.names.values(), (loaded.pair.infrared, loaded.pair.visible), strict=True):
        lexifuse.write_image(tmp_path / name, image)
    program, verb, *arguments = shlex.split(command_line(loaded, ask, "compact"))
    assert program == "lexifuse"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(open_verbs, [verb, "--report", "told.json", *arguments])
    assert done.exit_code == 0, done.output
    assert np.array_equal(lexifuse.read_image(tmp_path / "day_fused.png"), outcome.account.result.image)
    told = json.loads((tmp_path / "told.json").read_text())
    report = json.loads(content(bench, outcome.fused, "report.json"))
    assert set(told) - set(report) == {"output", "panel"}
    assert {key: report[key] for key in ("instruction", "prompt", "seen", "not_understood", "change", "notes")} == {
        key: told[key] for key in ("instruction", "prompt", "seen", "not_understood", "change", "notes")
    }


def content(bench: Workbench, bundle: str, file: str) -> bytes:
    found = bench.store.get(bundle, file)
    assert found is not None
    return found.data


def test_what_is_shown_and_kept_of_a_fusion(bench: Workbench, loaded: Loaded, tmp_path: Path) -> None:
    outcome = bench.fuse(loaded, Ask("it is foggy"))
    value = viewer_value(outcome)
    assert (value["width"], value["height"]) == (loaded.pair.width, loaded.pair.height)
    assert "haze" in value["fused"]["alt"] and "day ir.png" in value["infrared"]["alt"]
    assert title_of(outcome) == "it is foggy"
    (tmp_path / "fused.png").write_bytes(content(bench, outcome.fused, "fused.png"))
    assert np.array_equal(lexifuse.read_image(tmp_path / "fused.png"), outcome.account.result.image)
    again = bench.fuse(loaded, Ask("dark"))
    assert again.sources == outcome.sources and again.fused != outcome.fused
    assert content(bench, outcome.fused, "panel.png").startswith(b"\x89PNG")
    assert tell_downloads(outcome).count("<a ") == 5


def test_what_is_kept_of_pairs_is_bounded_however_many_are_still_in_use(loaded: Loaded) -> None:
    bench = Workbench(create_api(ServiceSettings(threads=1)).state.service, FileStore())
    pairs = [replace(loaded) for _ in range(MOST_KEPT + 1)]
    kept = [bench.fuse(pair, Ask()).sources for pair in pairs]
    assert bench.fuse(pairs[-1], Ask("dark")).sources == kept[-1]
    assert bench.fuse(pairs[1], Ask("dark")).sources == kept[1]  # Used again, so it stays.
    assert bench.fuse(pairs[0], Ask("dark")).sources != kept[0]  # Made anew, in the place of the third.
    assert bench.fuse(pairs[1], Ask()).sources == kept[1] and bench.fuse(pairs[2], Ask()).sources != kept[2]


def test_a_picture_too_long_for_jpeg_is_shown_all_the_same() -> None:
    assert shown(np.zeros((46, 65_501), np.uint8)).media_type == "image/png"


def test_the_account_says_what_was_understood_and_what_was_not(bench: Workbench, loaded: Loaded) -> None:
    html = tell(bench.fuse(loaded, Ask("it is very fogy, glimmerish", automatic=True, by_hand={"balance": 0.5})))
    text = re.sub(r"<[^>]+>", " ", html)
    for said in ("Done", "haze", "By hand", "balance 0.5", "Read as", "fogy", "Not understood", "glimmerish"):
        assert said in text
    assert "The pictures say" in text and "ms" in text


def test_nothing_that_a_visitor_wrote_becomes_html(bench: Workbench, loaded: Loaded) -> None:
    nasty = '<img src=x onerror="alert(1)">'
    loaded = replace(loaded, names={"infrared": nasty, "visible": nasty}, pair=replace(loaded.pair, name=nasty))
    outcome = bench.fuse(loaded, Ask(f"{nasty} dark"))
    for html in (tell(outcome), tell_downloads(outcome), tell_error(nasty)):
        assert "<img" not in html


def test_uploads_become_a_pair_or_a_reason_why_not(bench: Workbench, day: Scene, tmp_path: Path) -> None:
    def upload(image: Any, name: str) -> Upload:
        lexifuse.write_image(tmp_path / name, image)
        kept = Content((tmp_path / name).read_bytes(), "")
        return Upload(bench.store.add({"upload": lambda: kept}, len(kept.data)), name)

    deep = upload(day.infrared.astype(np.uint16) * 257, "deep.tif")
    visible, small = upload(day.visible, "street.png"), upload(day.infrared[::2, ::2], "small.png")
    loaded = bench.load_uploads(deep, visible, resize=False)
    assert loaded.pair.infrared.dtype == np.uint16 and loaded.pair.name == "street"
    with pytest.raises(InputError, match=r"differ in size.*--resize"):
        bench.load_uploads(small, visible, resize=False)
    stretched = bench.load_uploads(small, visible, resize=True)
    assert stretched.resized and "--resize" in command_line(stretched, Ask(), "compact")
    with pytest.raises(InputError, match="drop it again"):
        bench.load_uploads(Upload("forgotten", "ir.png"), visible, resize=False)
    with pytest.raises(InputError, match="no sample 'moon'"):
        bench.load_sample("moon")


# ---- the verb ----


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"port": "taken"}, OutputError, "choose another with --port"),
        ({"model": "nosuch"}, ModelError, "there is no model 'nosuch'"),
        ({"detector": "nosuch"}, ModelError, "there is no model 'nosuch'"),
        ({"log_level": "loud"}, UsageError, "--log-level takes"),
        ({"max_megapixels": float("inf")}, UsageError, "--max-megapixels must be"),
    ],
)
def test_app_says_why_it_cannot(options: dict[str, Any], error: type[LexifuseError], said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(error, match=said):
        port = taken.getsockname()[1]
        open_page(**{"threads": 1, "model": "compact", **options, **({"port": port} if "port" in options else {})})


def test_compose_gives_the_page_the_time_that_its_server_takes_to_stop() -> None:
    text = (Path(__file__).parents[1] / "compose.yaml").read_text()
    given = yaml.safe_load(text)["services"]["app"]["stop_grace_period"]
    taken = make_server(create_api(ServiceSettings(time_limit=WAIT_SECONDS))).config.timeout_graceful_shutdown
    assert taken is not None and int(given.removesuffix("s")) > taken


def test_the_command_line_answers_without_loading_the_page() -> None:
    code = "import sys, lexifuse.cli; print(sorted({'gradio', 'fastapi', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
