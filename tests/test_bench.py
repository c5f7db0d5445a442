"""The benchmark: turns, ratios, the limits of the machine, and what is written."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import lexifuse
from lexifuse.cli.bench import bench as bench_command
from lexifuse.errors import ModelError, UsageError
from lexifuse.evaluation import bench as bench_module
from lexifuse.evaluation import rooflines as rooflines_module
from lexifuse.evaluation.bench import LEAST, WARM_UP, BenchSettings, CaseKey, bench, ratio, take_turns
from lexifuse.evaluation.bench_report import to_text, write_bench
from lexifuse.evaluation.engines import ORT, WHOLE, ort_session, traffic
from lexifuse.evaluation.machine import fresh_process, machine_facts
from lexifuse.evaluation.rooflines import one_node, rooflines


def test_cases_take_turns_in_a_new_order_every_round() -> None:
    calls: list[str] = []
    cases = {CaseKey(name, 1): (lambda name=name: calls.append(name)) for name in "abcd"}
    times = take_turns(cases, BenchSettings("none", repeats=6))
    assert calls[: 4 * WARM_UP] == [name for name in "abcd" for _ in range(WARM_UP)]
    rounds = [calls[start : start + 4] for start in range(4 * WARM_UP, len(calls), 4)]
    assert len(rounds) == 6 and all(sorted(turn) == list("abcd") for turn in rounds)
    assert len({tuple(turn) for turn in rounds}) > 1
    assert all(len(found) == 6 for found in times.values())


def test_a_slow_case_stops_early_but_not_before_the_least() -> None:
    cases = {CaseKey("slow", 1): lambda: time.sleep(0.01), CaseKey("fast", 1): lambda: None}
    times = take_turns(cases, BenchSettings("none", repeats=12, seconds=0.02))
    assert [len(found) for found in times.values()] == [LEAST, 12]


def test_ratio_is_within_rounds() -> None:
    noisy = [1.0, 10.0, 100.0, 2.0]
    assert ratio([2 * value for value in noisy], noisy) == 2.0
    assert ratio([3.0, 30.0], noisy) == 3.0


def test_rooflines_are_real_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooflines_module, "COPY_BYTES", 2**20)
    rng = np.random.default_rng(0)
    picture, kernel = rng.standard_normal((1, 2, 5, 6), np.float32), rng.standard_normal((3, 2, 3, 3), np.float32)
    result = ort_session(one_node("Conv", kernel, 4, pads=(1, 1, 1, 1)), 1).run(None, {"x": picture})[0]
    framed = np.pad(picture[0], ((0, 0), (1, 1), (1, 1)))
    expected = [[(framed[:, 2:5, 3:6] * kernel[channel]).sum() for channel in range(3)]]
    assert result.shape == (1, 3, 5, 6) and np.allclose(result[:, :, 2, 3], expected, atol=1e-5)

    matrix = rng.standard_normal((7, 4), np.float32)
    product = ort_session(one_node("MatMul", matrix, 2), 1).run(None, {"x": matrix.T})[0]
    assert np.allclose(product, matrix.T @ matrix, atol=1e-5)
    assert {roofline.name: roofline.run() is None for roofline in rooflines(2, ort_session)} == {
        "convolution": False,
        "matrix product": False,
        "copy": True,
    }


def test_traffic_grows_with_the_picture() -> None:
    small, large = traffic("compact", 64, 48), traffic("compact", 128, 96)
    assert 1.5 * small < large < 5 * small


def test_a_fresh_process_tells_its_own_memory() -> None:
    ballast = np.ones(600 * 2**20, np.uint8)
    found = fresh_process("compact", 64, 48, 1)
    assert ballast[-1] == 1 and found["import"] and found["load"] and found["fuse"]
    assert found["peak"] is None or 20 * 2**20 < found["peak"] < 600 * 2**20
    with pytest.raises(ModelError, match="fresh process with model 'nosuch' failed"):
        fresh_process("nosuch", 64, 48, 1)


def test_machine_facts_name_the_machine() -> None:
    facts = machine_facts()
    assert facts["usable_cores"] >= 1 and facts["processor"] and facts["packages"]["numpy"] == np.__version__
    json.dumps(facts)


def test_everything_is_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = {"import": 0.2, "load": 0.1, "fuse": 0.05, "peak": 90 * 2**20}
    monkeypatch.setattr(bench_module, "fresh_process", lambda *_: child)
    monkeypatch.setattr(rooflines_module, "COPY_BYTES", 2**20)
    monkeypatch.setattr(bench_module, "STANDARD", (96, 64))
    steps: list[str] = []
    settings = BenchSettings("compact", sizes=((96, 64), (50, 30)), threads=(1,), repeats=2)
    found = bench(settings, lambda what, _done, _total: steps.append(what))
    rows = {(row["engine"], row["width"]): row for row in found["latency"]}
    assert {engine for engine, _ in rows} >= {WHOLE, ORT}
    for row in found["latency"]:
        assert row["runs"] == 2 and 0 < row["median_ms"] <= row["p95_ms"]
        assert row["pairs_per_second"] == pytest.approx(1000 / row["median_ms"], rel=0.01)
    assert rows[ORT, 50]["times_onnx_runtime"] == 1.0
    assert found["model"]["parameters"] == lexifuse.load("compact").model.card.parameters
    (peak,) = found["peak"]
    assert peak["convolution_gmac_per_second"] > 0.1 and set(peak["share_at_640x480"]) == {name for name, _ in rows}
    words = found["words"]
    assert words["threads"] == 1 and min(words[name] for name in ("first_ms", "other_ms", "other_to_first")) > 0
    assert f"{words['other_ms']:.0f} ms for others in the same session" in to_text(found)
    assert set(found["peak_memory_bytes"]) == {"96x64", "50x30"} and {"timing", "cold start"} <= set(steps)

    paths = {path.suffix: path for path in write_bench(tmp_path / "out", found)}
    assert json.loads(paths[".json"].read_text()) == json.loads(json.dumps(found))
    assert f"| {ORT} | 1 | 50x30 |" in to_text(found)
    assert "first fused 640x480 pair: 0.35 s" in to_text(found) and "50x30 90 MiB" in to_text(found)
    html = paths[".html"].read_text()
    assert html.count("<polyline") == len({engine for engine, _ in rows}) and "<script" not in html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "640"], "--sizes takes widths and heights such as 640x480"),
        (["--sizes", "0x4"], "--sizes takes"),
        (["--threads", "1,two"], "--threads takes numbers from 1"),
    ],
)
def test_wrong_calls_are_told_in_one_line(arguments: list[str], message: str) -> None:
    app = typer.Typer()
    app.command()(bench_command)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError) and message in str(result.exception)
