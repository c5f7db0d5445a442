"""``lexifuse eval`` as a user meets it, on pairs and outputs made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

import lexifuse
from lexifuse import metrics
from lexifuse.cli.eval import evaluate
from lexifuse.errors import InputError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEXIFUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LEXIFUSE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two data sets of three small pairs."""
    rng = np.random.default_rng(5)
    for name in ("near", "far"):
        for index in range(3):
            for source, shape in (("ir", (32, 40)), ("vi", (32, 40, 3))):
                picture = np.clip(rng.normal(120, 40, shape), 0, 255).astype(np.uint8)
                lexifuse.write_image(tmp_path / "data" / name / "test" / source / f"{name}{index}.png", picture)
    return tmp_path / "data"


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def save_visible(data: Path, folder: Path, name: str, count: int = 3) -> Path:
    for index in range(count):
        visible = lexifuse.read_image(data / name / "test" / "vi" / f"{name}{index}.png")
        lexifuse.write_image(folder / f"{name}{index}.png", metrics.luma(visible))
    return folder


def test_models_and_outputs_are_measured_beside_the_trivial_fusions(data: Path, tmp_path: Path) -> None:
    save_visible(data, tmp_path / "theirs" / "near", "near")
    save_visible(data, tmp_path / "theirs" / "far", "far", count=2)
    call = ["--data", data, "--dataset", "near,far", "--model", "compact", "--fused", f"{tmp_path / 'theirs'}=theirs"]
    result = run(*call, "--out", tmp_path / "out", "--interval")
    assert result.exit_code == 0, result.output
    assert "near (3 pairs)" in result.stdout and "far (2 pairs)" in result.stdout
    assert "no output of 'theirs' for 1 pairs (far2)" in result.stdout
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    labels = ["compact", "theirs", "average", "max", "laplacian", "guided filter"]
    assert [(row["dataset"], row["label"]) for row in rows] == [
        (name, label) for name in ("near", "far") for label in labels
    ]
    assert (tmp_path / "out" / "report.html").stat().st_size > 20_000

    again = run(*call, "--json")
    assert [{**row, "interval95": None} for row in rows] == [
        {**row, "interval95": None} for row in json.loads(again.stdout)
    ]


def test_two_folders_and_more_columns(data: Path) -> None:
    folders = [data / "near" / "test" / source for source in ("ir", "vi")]
    result = run("--pairs", *folders, "--metrics", "CC,nabf", "--json", "--limit", "2")
    assert isinstance(result.exception, UsageError) and "did you mean 'Nabf'" in str(result.exception)
    result = run("--pairs", *folders, "--metrics", "CC,Nabf", "--json", "--limit", "2")
    rows = json.loads(result.stdout)
    assert rows[0]["label"] == "compact" and rows[0]["pairs"] == 2
    assert 0 <= rows[0]["Nabf"] <= 1 and -1 <= rows[0]["CC"] <= 1


def test_second_call_reads_the_cache(data: Path, cache: Path) -> None:
    call = ["--data", data, "--dataset", "near", "--json"]
    first = run(*call)
    assert len(list(cache.rglob("*.json"))) == 15
    for path in cache.rglob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "EN": 1.25}))
    assert {row["EN"] for row in json.loads(run(*call).stdout)} == {1.25}
    assert run(*call, "--no-cache").stdout == first.stdout


def test_restoration_is_measured_and_written(data: Path, tmp_path: Path) -> None:
    result = run("--data", data, "--dataset", "near", "--restoration", "--limit", "1", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "compact: restoration (1 pairs" in result.stdout and "Mean gain over no words" in result.stdout
    assert len(json.loads((tmp_path / "out" / "restoration.json").read_text())) == 27


def test_calls_that_cannot_work_say_why(data: Path, tmp_path: Path) -> None:
    folders = [data / "near" / "test" / source for source in ("ir", "vi")]
    for arguments, kind, message in (
        ([], UsageError, "say what to measure"),
        (["--data", data], UsageError, "say what to measure"),
        (["--pairs", *folders, "--data", data, "--dataset", "near"], UsageError, "exclude each other"),
        (["--data", data, "--dataset", "nosuch"], InputError, "no data set 'nosuch'"),
        (["--data", data, "--dataset", "near", "--fused", tmp_path / "gone"], InputError, "is not a folder"),
        (["--data", data, "--dataset", "near", "--restoration", "--fused", data], UsageError, "leave --fused out"),
        (["--data", data, "--dataset", "near", "--words"], UsageError, "name a detector with --detector"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, kind) and message in str(result.exception), (arguments, result.exception)


@pytest.mark.parametrize("more", [[], ["--restoration"], ["--detector", "nowhere"]])
def test_an_output_that_cannot_be_a_folder_is_refused_before_measuring(
    data: Path, tmp_path: Path, cache: Path, more: list[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "deep" / "down"):
        result = run("--data", data, "--dataset", "near", "--out", out, *more)
        assert isinstance(result.exception, UsageError) and "choose a folder with -o" in str(result.exception)
    assert not cache.exists() and (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--detector any --restoration", "--detector and --restoration exclude each other"),
        ("--detector any --niqe model.npz", "something else than --niqe"),
        ("--detector any --metrics CC", "something else than --metrics"),
        ("--detector any --interval", "something else than --interval"),
        ("--detector any --words --fused .", "--words has models fuse anew: name one with --model"),
        ("--restoration --niqe model.npz", "something else than --niqe"),
        ("--restoration --metrics CC", "something else than --metrics"),
        ("--restoration --interval", "something else than --interval"),
    ],
)
def test_options_that_would_go_unheard_are_refused(data: Path, options: str, message: str) -> None:
    result = run("--data", data, "--dataset", "near", *options.split())
    assert isinstance(result.exception, UsageError) and message in str(result.exception)


def test_names_are_printed_as_they_are(data: Path) -> None:
    folder = (data / "near").rename(data / "near[draft]:car:")
    result = run("--data", data, "--dataset", folder.name, "--fused", f"{folder / 'test' / 'vi'}=theirs")
    assert "near[draft]:car: (3 pairs)" in result.stdout, result.output


def test_another_provider_is_measured_afresh(data: Path, cache: Path) -> None:
    pytest.importorskip("openvino")
    call = ["--data", data, "--dataset", "near", "--json", "--provider", "openvino"]
    first, *_ = json.loads(run("--data", data, "--dataset", "near", "--json").stdout)
    kept = {path: path.read_text() for path in cache.rglob("*.json")}
    found, *_ = json.loads(run(*call).stdout)
    assert found["label"] == "compact" and found["SD"] == pytest.approx(first["SD"], rel=0.02)
    assert {path: path.read_text() for path in cache.rglob("*.json")} == kept
    result = run(*call, "--detector", "anywhere")
    assert isinstance(result.exception, UsageError) and "leave --provider out" in str(result.exception)
