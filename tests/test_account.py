"""The open account of a fusion: what changed, what did not, and a panel; words per pair for folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lexifuse
from lexifuse import Fuser
from lexifuse.account import account_of
from lexifuse.cli import app
from lexifuse.datasets.synthetic import Scene
from lexifuse.language import read_prompt
from lexifuse.pair import ImagePair


def test_a_panel_shows_sources_results_and_words(fuser: Fuser, night: Scene) -> None:
    pair = ImagePair(night.infrared, night.visible)
    account = account_of(fuser, pair, fuser.fuse_pair(pair, "the visible image is pitch black"))
    assert account.change > 1
    panel = account.panel()
    assert panel.dtype == np.uint8
    assert panel.shape[2] == 3
    assert panel.shape[1] > panel.shape[0] > 600


def test_words_that_ask_for_nothing_say_so(fuser: Fuser, day: Scene) -> None:
    pair = ImagePair(day.infrared, day.visible)
    result = fuser.fuse_pair(pair, "fuse them please")
    assert any("changed nothing" in note for note in result.notes)
    np.testing.assert_array_equal(result.image, fuser.fuse_pair(pair).image)
    assert account_of(fuser, pair, result).change == 0
    assert not any("changed nothing" in note for note in fuser.fuse_pair(pair, "it is hazy").notes)


def test_a_request_that_changes_almost_nothing_says_so(fuser: Fuser, day: Scene) -> None:
    flat = ImagePair(np.full((64, 64), 128, np.uint8), np.full((64, 64, 3), 128, np.uint8))
    plain = fuser.fuse_pair(flat)
    same = lexifuse.FusionResult(plain.image, read_prompt("keep the colours").instruction, 0.0)
    assert any("almost nothing" in note for note in account_of(fuser, flat, same).notes)
    dark = fuser.fuse(day.infrared, day.visible, lexifuse.Instruction(balance=-1.0))
    pair = ImagePair(day.infrared, day.visible)
    assert not any("almost nothing" in note for note in account_of(fuser, pair, dark).notes)


def test_report_writes_json_and_a_panel(pair_files: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "told.json"
    files = [*map(str, pair_files), "it is very hazy", "-o", str(tmp_path / "out.png")]
    run = CliRunner().invoke(app, ["fuse", *files, "--report", str(report)])
    assert run.exit_code == 0, run.output
    told = json.loads(report.read_text())
    assert told["instruction"]["visible"]["haze"] == pytest.approx(0.9)
    assert told["change"] > 0
    assert told["prompt"] == "it is very hazy"
    panel = lexifuse.read_image(told["panel"])
    assert panel.ndim == 3


def test_every_pair_of_a_folder_can_have_its_words(folders: tuple[Path, Path], tmp_path: Path) -> None:
    prompts = tmp_path / "words.txt"
    prompts.write_text("a\tthe visible image is dark\r\n\nb\tit is hazy\nzebra\tit is rainy\n")
    report = tmp_path / "report.json"
    call = ["fuse", *map(str, folders), "it is blurred", "-o", str(tmp_path / "out"), "--prompts", str(prompts)]
    run = CliRunner().invoke(app, [*call, "--report", str(report)])
    assert run.exit_code == 0, run.output
    assert "no pair for the words of 'zebra'" in run.output
    told = {Path(record["visible"]).stem: record for record in json.loads(report.read_text())}
    assert told["a"]["instruction"]["visible"]["low_light"] > 0
    assert told["b"]["instruction"]["visible"]["haze"] > 0
    assert told["c"]["instruction"]["visible"]["blur"] > 0
    assert all(Path(record["panel"]).is_file() for record in told.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [("a no tab here\n", "line 1 has no tab"), ("a\tx\na\ty\n", "stands there twice"), (None, "cannot read")],
)
def test_bad_prompt_files_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, text: str | None, message: str
) -> None:
    prompts = tmp_path / "words.txt"
    if text is not None:
        prompts.write_text(text)
    run = CliRunner().invoke(app, ["fuse", *map(str, folders), "-o", str(tmp_path / "out"), "--prompts", str(prompts)])
    assert run.exit_code != 0
    assert message in str(run.exception)
    assert not (tmp_path / "out").exists()


def test_prompts_are_for_folders(pair_files: tuple[Path, Path], tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["fuse", *map(str, pair_files), "--prompts", str(tmp_path / "words.txt")])
    assert "--prompts is for folders" in str(run.exception)
