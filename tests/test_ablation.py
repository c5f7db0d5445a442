"""Ablations: one part less per variant, a table that says its schedule, and exact continuation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from torch import Tensor
from typer.testing import CliRunner

from lexifuse.cli.train import train_app
from lexifuse.errors import ModelError, UsageError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.metrics import NINE
from lexifuse.training import ablation
from lexifuse.training.ablation import JSON, MARKDOWN, Row, ablate, schedule, to_markdown, variants
from lexifuse.training.families import family_of
from lexifuse.training.recipe import DataSource, Recipe, SampleMix, TextConditioning, TextIFShape, load_recipe
from lexifuse.training.text_encoders import TextEncoder, Tokens, pad

RECIPE = Recipe(
    network="text-if",
    sources=(DataSource(name="synthetic", crops=6),),
    crop_store=56,
    crop=48,
    batch=1,
    steps=500,
    validation=1,
    mix=SampleMix(wish=0.0),
    text=TextConditioning(encoder="stub", width=5, features="tokens", prompts=60),
    text_if=TextIFShape(width=4, blocks=(1, 0, 0, 0), refinement=0, heads=(1, 1, 1, 1), text_width=6),
)


class StubEncoder(TextEncoder):
    """Five numbers per word, made from its letters."""

    def __init__(self) -> None:
        super().__init__()
        self.id, self.width = "stub", 5

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        return Tokens(*pad([[sum(map(ord, word)) for word in prompt.split()] for prompt in prompts]))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG002
        return torch.sin(ids[..., None] * torch.tensor([1.0, 0.7, 0.3, 0.11, 0.013]))


def run(out: Path, steps: int = 2, recipe: Recipe = RECIPE) -> list[Row]:
    return ablate(recipe, out, out, steps=steps, accelerator="cpu", workers=0, text_encoder=StubEncoder())


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    out = tmp_path_factory.mktemp("ablation")
    return out, run(out)


def test_each_variant_lacks_one_part_and_shares_the_rest() -> None:
    whole, *others = variants(load_recipe("text-if-small"), 300)
    assert [variant.name for variant in others] == ["no-text", "one-level", "sentence", "no-cross-attention"]
    changed = [
        {
            f"{part}.{name}"
            for part in ("text", "text_if")
            for name, value in getattr(variant.recipe, part)
            if value != getattr(getattr(whole.recipe, part), name)
        }
        for variant in others
    ]
    assert changed == [{"text_if.guided"}, {"text_if.guided"}, {"text.features"}, {"text_if.cross_attention"}]
    assert {variant.recipe.steps for variant in (whole, *others)} == {300}
    assert {variant.recipe.warm_up for variant in (whole, *others)} == {30}
    published = {variant.name: variant.title for variant in variants(load_recipe("text-if"), 10)}
    assert published["tokens"] == "token features instead"
    with pytest.raises(UsageError, match="this recipe makes 'compact'"):
        variants(load_recipe("compact"), 10)


def test_from_text_to_pixels_lacks_a_part_of_its_own_in_each_variant() -> None:
    whole, *others = variants(load_recipe("text-to-pixels-small"), 300)
    shape = whole.recipe.text_to_pixels
    changed = [
        {name for name, value in variant.recipe.text_to_pixels or () if value != getattr(shape, name)}
        for variant in others
    ]
    assert changed == [{"codebook"}, {"listening"}, {"extractor"}]
    assert {variant.recipe.steps for variant in (whole, *others)} == {300}
    assert "### From Text to Pixels: ablations" in to_markdown([], schedule(whole.recipe, 300))


def test_every_variant_is_measured(ablated: tuple[Path, list[Row]]) -> None:
    rows = {row.name: row for row in ablated[1]}
    for row in rows.values():
        assert set(row.gains) == set(DEGRADATIONS) and set(row.metrics) == set(NINE)
        assert row.gain == pytest.approx(np.mean(list(row.gains.values())))
        assert np.isfinite([row.gain, row.gain_free, row.wrong, *row.metrics.values()]).all()
    # Without guidance no word can change anything.
    assert rows["no-text"].gain == rows["no-text"].gain_free == rows["no-text"].wrong == 0.0
    assert abs(rows["whole"].gain) + abs(rows["whole"].wrong) > 0
    assert rows["no-cross-attention"].parameters < rows["whole"].parameters == rows["sentence"].parameters
    assert rows["no-text"].parameters < rows["one-level"].parameters < rows["whole"].parameters


def test_the_table_says_its_schedule(ablated: tuple[Path, list[Row]]) -> None:
    out, rows = ablated
    text = (out / MARKDOWN).read_text("utf-8")
    assert "each row was trained for 2 steps of 1 crops of 48 pixels, once (seed 0)" in text
    assert "where the recipe itself wants 500" in text
    assert all(f"| {row.title} |" in text for row in rows)
    assert all(f" {name} ↑ |" in text for name in NINE)
    stored = json.loads((out / JSON).read_text("utf-8"))
    assert stored["schedule"]["steps"] == 2
    assert [Row(**row) for row in stored["rows"]] == rows
    better = Row(**{**stored["rows"][1], "gain": 9.876})
    assert "**+9.88**" in to_markdown([rows[0], better], schedule(RECIPE, 2))


def test_a_call_goes_on_where_it_stopped(
    ablated: tuple[Path, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rows = ablated
    (tmp_path / "crops").symlink_to(out / "crops")
    original = ablation.train
    monkeypatch.setattr(ablation, "train", lambda *call, **options: original(*call, **options, stop_after=1))
    monkeypatch.setattr(ablation, "_measure", lambda *_: pytest.fail("interrupted"))
    with pytest.raises(pytest.fail.Exception, match="interrupted"):
        run(tmp_path)
    monkeypatch.undo()
    assert run(tmp_path) == rows
    monkeypatch.setattr(ablation, "_measure", lambda *_: pytest.fail("measured again"))
    assert run(tmp_path) == rows
    with pytest.raises(ModelError, match="made by another recipe"):
        run(tmp_path, recipe=RECIPE.model_copy(update={"learning_rate": 1e-5}))


def test_a_row_of_another_schedule_is_not_taken_for_this_one(ablated: tuple[Path, list[Row]]) -> None:
    (variant, *_), (longer, *_) = variants(RECIPE, 2), variants(RECIPE, 3)
    folder = ablated[0] / variant.name
    assert ablation._stored(folder, variant) == ablated[1][0]
    assert ablation._stored(folder, longer) is None


@pytest.mark.parametrize("network", ["text-if", "text-to-pixels"])
def test_the_command_makes_the_table(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def stand_in(recipe: Recipe, data: Path, out: Path, **options: object) -> None:
        asked.update({"network": family_of(recipe).recipe.network, "data": data, **options})
        out.mkdir()
        (out / MARKDOWN).write_text("the table")

    monkeypatch.setattr(ablation, "ablate", stand_in)
    call = ["ablate", network, "--data", str(tmp_path), "-o", str(tmp_path / "out"), "--steps", "7"]
    result = CliRunner().invoke(train_app, call)
    assert result.exit_code == 0, result.output
    assert "the table" in result.output
    assert (asked["network"], asked["steps"], asked["data"]) == (network, 7, tmp_path)
