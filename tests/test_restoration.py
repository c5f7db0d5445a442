"""Restoration: the words that are used, what is compared with what, and that right words are told from wrong ones."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lexifuse
from lexifuse.datasets import PairFiles, pair_folders
from lexifuse.evaluation.cache import ResultCache
from lexifuse.evaluation.restoration import (
    NONE,
    RIGHT,
    SEVERITIES,
    WRONG,
    cells,
    damage,
    in_words,
    plan,
    restore,
    to_json,
    to_text,
    wrong_for,
)
from lexifuse.evaluation.restoration_report import make_examples, write_restoration
from lexifuse.instruction import DEGRADATIONS, PLAIN, SEVERE, Instruction
from lexifuse.language import read_prompt
from lexifuse.pair import ImagePair, read_pair


class DehazingFuser:
    """Averages both sources; asked to remove haze, it returns half of the clean answer, which it has seen before."""

    def __init__(self) -> None:
        self.model = SimpleNamespace(name="dehazer", sha256="0" * 64)
        self.clean: dict[str, np.ndarray] = {}
        self.calls = 0

    def fuse_pair(self, pair: ImagePair, request: str | Instruction | None) -> SimpleNamespace:
        self.calls += 1
        grey = pair.visible.mean(axis=2) if pair.visible.ndim == 3 else pair.visible
        image = (grey + pair.infrared) / 2
        self.clean.setdefault(pair.name, image)
        meant = read_prompt(request).instruction if isinstance(request, str) else request
        if meant is not None and meant.visible.haze > 0:
            image = (image + self.clean[pair.name]) / 2
        return SimpleNamespace(image=np.rint(image).astype(np.uint8))


@pytest.fixture
def items(folders: tuple[Path, Path]) -> tuple[PairFiles, ...]:
    return pair_folders(*folders).items[:2]


def test_the_words_say_what_was_done() -> None:
    for degradation in DEGRADATIONS:
        for severity in SEVERITIES:
            instruction = read_prompt(in_words(degradation, severity)).instruction
            assert instruction.asked_for() == (degradation,), in_words(degradation, severity)
            assert instruction.severity(degradation) == pytest.approx(severity, abs=0.05)


def test_wrong_words_name_another_damage_of_the_same_source() -> None:
    for degradation in DEGRADATIONS:
        other = wrong_for(degradation)
        assert other != degradation and other in DEGRADATIONS
        assert other.partition(".")[0] == degradation.partition(".")[0]


def test_damage_touches_one_source_and_is_repeatable(items: tuple[PairFiles, ...]) -> None:
    pair = read_pair(items[0].infrared, items[0].visible)
    for degradation in DEGRADATIONS:
        once, again = (damage(pair, degradation, SEVERE) for _ in range(2))
        changed = [not np.array_equal(once.infrared, pair.infrared), not np.array_equal(once.visible, pair.visible)]
        assert changed == [degradation.startswith("infrared"), degradation.startswith("visible")]
        assert np.array_equal(once.visible, again.visible) and np.array_equal(once.infrared, again.infrared)


def test_only_the_words_that_help_gain(items: tuple[PairFiles, ...]) -> None:
    result = restore(DehazingFuser(), items)
    assert result.pairs == ("a", "b") and set(result.conditions[:3]) == {RIGHT, NONE, WRONG}
    for degradation, severity in cells():
        gain, wrong = result.gain(degradation, severity), result.gain(degradation, severity, WRONG)
        assert (gain > 3) == (degradation == "visible.haze")
        assert degradation == "visible.haze" or gain == 0
        assert (wrong != 0) == (wrong_for(degradation) == "visible.haze")
    values = result.values["visible.haze", PLAIN, RIGHT]
    assert values.shape == (2, 2) and (values[:, 1] <= 1).all()


def test_an_instruction_can_ask_instead_of_words(items: tuple[PairFiles, ...]) -> None:
    def ask(degradation: str, severity: float) -> Instruction:
        return Instruction().with_values({degradation: severity})

    words, sliders = restore(DehazingFuser(), items[:1]), restore(DehazingFuser(), items[:1], ask=ask)
    assert words.gain("visible.haze", SEVERE) == sliders.gain("visible.haze", SEVERE) > 3


def test_a_second_run_fuses_nothing(items: tuple[PairFiles, ...], tmp_path: Path) -> None:
    cache, fuser = ResultCache(tmp_path / "cache"), DehazingFuser()
    first = restore(fuser, items, cache=cache)
    calls = fuser.calls
    again = restore(fuser, items, cache=cache)
    assert fuser.calls == calls
    assert all(np.array_equal(first.values[cell], again.values[cell]) for cell in first.values)


def test_results_of_other_requests_or_metrics_are_not_used(
    items: tuple[PairFiles, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, fuser = ResultCache(tmp_path / "cache"), DehazingFuser()

    def fusions(shift: float) -> int:
        before = fuser.calls
        restore(fuser, items[:1], cache=cache, ask=lambda name, level: Instruction().with_values({name: level + shift}))
        return fuser.calls - before

    whole = fusions(0.001)
    assert fusions(0.001) == 0
    assert fusions(0.004) > 0, "less than a hundredth is another request"
    monkeypatch.setattr("lexifuse.metrics.VERSION", 1_000)
    assert fusions(0.001) == whole


def test_identical_images_count_as_a_hundred_decibels(items: tuple[PairFiles, ...]) -> None:
    class Stubborn(DehazingFuser):
        def fuse_pair(self, pair: ImagePair, request: object) -> SimpleNamespace:
            assert request is None or request
            return SimpleNamespace(image=np.full(pair.infrared.shape, 9, np.uint8))

    result = restore(Stubborn(), items[:1])
    assert result.mean("visible.rain", PLAIN, NONE) == (100.0, 1.0) and result.mean_gain() == 0


def test_plan_spreads_over_data_sets(folders: tuple[Path, Path]) -> None:
    dataset = pair_folders(*folders)
    assert [item.name for item in plan([dataset], 2)] == ["a", "c"]
    assert len(plan([dataset, dataset], 4)) == 4
    assert len(plan([dataset], 100)) == 4


def test_tables_and_page_are_written(items: tuple[PairFiles, ...], tmp_path: Path) -> None:
    fuser = DehazingFuser()
    result = restore(fuser, items)
    paths = {path.suffix: path for path in write_restoration(tmp_path, [result], make_examples(fuser, items))}
    records = json.loads(paths[".json"].read_text())
    assert len(records) == 27 and json.loads(to_json([result])) == records
    haze = next(row for row in records if row["degradation"] == "visible.haze" and row["severity"] == SEVERE)
    assert haze["psnr_gain"] == pytest.approx(haze["psnr"][RIGHT] - haze["psnr"][NONE], abs=1e-3)
    assert math.isfinite(haze["ssim"][RIGHT])
    assert to_text(result).count("| visible.haze |") == 3
    html = paths[".html"].read_text()
    assert (
        html.count("<svg") >= 2 and html.count("data:image/jpeg") == 36 and "the visible image is severely hazy" in html
    )


def test_shipped_model_goes_through(items: tuple[PairFiles, ...], fuser: lexifuse.Fuser) -> None:
    result = restore(fuser, items[:1])
    assert result.model == "compact"
    assert all(0 < result.mean(*cell, NONE)[0] <= 100 for cell in cells())
