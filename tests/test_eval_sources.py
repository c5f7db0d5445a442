"""Which pixels are measured, and when a stored result is that of the same measurement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lexifuse
from lexifuse import metrics
from lexifuse.datasets import pair_folders
from lexifuse.evaluation.cache import ResultCache, fusing_files
from lexifuse.evaluation.methods import Method, Sources, model_method
from lexifuse.evaluation.run import evaluate, read_sources
from lexifuse.instruction import Instruction
from lexifuse.language import read_prompt
from lexifuse.pair import read_pair


def test_raw_counts_are_measured_as_they_are_fused(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(3000, 9000, (40, 48)).astype(np.uint16)  # 14 bits of 16
    for folder, picture in (("ir", counts), ("vi", rng.integers(0, 256, (40, 48, 3), np.uint8))):
        lexifuse.write_image(tmp_path / folder / "a.png", picture)
    (item,) = pair_folders(tmp_path / "ir", tmp_path / "vi").items
    seen = read_sources(item)
    assert np.array_equal(seen.infrared, metrics.luma(read_pair(item.infrared, item.visible).infrared))
    assert seen.infrared.std() > 50, "unstretched it is nearly flat"
    assert np.array_equal(seen.visible, metrics.luma(lexifuse.read_image(item.visible)))


def test_eight_bits_are_measured_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for folder in ("ir", "vi"):
        lexifuse.write_image(tmp_path / folder / "a.png", rng.integers(0, 256, (200, 240, 3), np.uint8))
    (item,) = pair_folders(tmp_path / "ir", tmp_path / "vi").items
    assert np.array_equal(read_sources(item).infrared, metrics.luma(lexifuse.read_image(item.infrared)))


@pytest.mark.parametrize("version", ["lexifuse.evaluation.run.VERSION", "lexifuse.evaluation.run.SOURCES_VERSION"])
def test_results_of_another_version_are_not_used(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    calls: list[str] = []

    def fuse(sources: Sources) -> np.ndarray:
        calls.append(sources.item.name)
        return sources.visible

    dataset, cache, method = (
        pair_folders(*folders),
        ResultCache(tmp_path / "cache"),
        Method("m", fuse, lambda _: "same"),
    )
    for expected in (4, 4):
        evaluate(dataset, [method], cache=cache, metrics=["EN"])
        assert len(calls) == expected
    monkeypatch.setattr(version, 1_000)
    evaluate(dataset, [method], cache=cache, metrics=["EN"])
    assert len(calls) == 8


def test_instructions_that_differ_a_little_are_different_results(folders: tuple[Path, Path]) -> None:
    fuser = SimpleNamespace(model=SimpleNamespace(name="toy", sha256="1" * 64))
    requests = [Instruction().with_values({"visible.haze": value}) for value in (0.601, 0.604)]
    requests += [read_prompt("it is hazy"), "it is hazy", "None", None]
    item = pair_folders(*folders).items[0]
    names = {model_method(fuser, request).identity(item) for request in requests}
    assert len(names) == len(requests)


def test_stored_results_are_those_of_all_the_code_that_a_fusion_runs() -> None:
    listing = "print(*(item.__file__ for name, item in sys.modules.items() if name.partition('.')[0] == 'lexifuse'))"
    code = f"import sys, lexifuse; lexifuse.load; lexifuse.read_pair; {listing}"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {Path(name).resolve() for name in run.stdout.split()} <= {path.resolve() for path in fusing_files()}
