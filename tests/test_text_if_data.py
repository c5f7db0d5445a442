"""Text-IF, what it learns from: prompts that ask for repairs, losses weighted by what the words name, and EMS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from torch import Tensor

import lexifuse
from lexifuse.datasets.ems import degradation_of, open_ems
from lexifuse.errors import InputError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language.plain_words import NOTHING_ASKED, say
from lexifuse.training.degradation_losses import (
    degradation_objective,
    fusion_terms,
    gaussian_ssim,
    sample_weights,
    weight_table,
)
from lexifuse.training.prompt_book import PromptBook
from lexifuse.training.prompted_samples import restoration_sample
from lexifuse.training.recipe import Recipe, load_recipe

# Prompts


def test_plain_words_are_read_back_as_what_they_say() -> None:
    for name in DEGRADATIONS:
        for severity in (0.3, 0.6, 0.9):
            read = lexifuse.read_prompt(say({name: severity})).instruction
            assert read.asked_for() == (name,), say({name: severity})
            assert read.severity(name) == pytest.approx(severity, abs=0.2)
    assert say({}) == say({"visible.haze": 0.1}) == NOTHING_ASKED
    assert lexifuse.read_prompt(NOTHING_ASKED).instruction.is_plain


def test_prompts_of_the_book_ask_for_what_is_wanted() -> None:
    book = PromptBook(300, canonical=0.0, seed=3)
    assert len(book) > 150
    rng = np.random.default_rng(0)
    wanted = [{}, {"visible.low_light": 0.9}, {"visible.noise": 0.3}, {"infrared.noise": 0.6, "visible.noise": 0.6}]
    right = [
        lexifuse.read_prompt(book.prompt(severities, rng)).instruction.asked_for()
        == tuple(sorted(severities, reverse=True))
        for severities in wanted * 3
    ]
    assert sum(right) >= 0.8 * len(right)
    # A set that the corpus never speaks of is put into plain words.
    everything = dict.fromkeys(DEGRADATIONS, 0.6)
    assert book.prompt(everything, rng) == say(everything)


# Losses


def pictures(height: int, width: int, seed: int = 0, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    infrared, visible = (torch.rand(batch, planes, height, width, generator=generator) for planes in (1, 3))
    return infrared, visible


def test_the_weights_are_those_of_the_paper() -> None:
    table = weight_table(load_recipe("text-if").degradation_weights)
    rows = {
        "visible.low_light": (8, 1, 10, 12),
        "infrared.low_contrast": (8, 1, 10, 12),
        "visible.over_exposure": (4, 0, 2, 12),
        "infrared.noise": (6, 1, 10, 12),
    }
    for name, weights in rows.items():
        asked = torch.tensor([[float(name == one) for one in DEGRADATIONS]])
        assert sample_weights(asked, table)[0].tolist() == list(weights)
    both = torch.tensor([[float(name in ("visible.over_exposure", "infrared.noise")) for name in DEGRADATIONS]])
    assert sample_weights(both, table)[0].tolist() == [5, 0.5, 6, 12]
    assert sample_weights(torch.zeros(1, 9), table)[0].tolist() == [8, 1, 10, 12]


def test_a_new_row_is_data_and_nothing_else() -> None:
    changed = Recipe.model_validate(
        {"steps": 1, "sources": [], "degradation_weights": {"plain": {"gradient": 3}, "visible.rain": {"intensity": 1}}}
    )
    table = weight_table(changed.degradation_weights)
    rain = torch.tensor([[float(name == "visible.rain") for name in DEGRADATIONS]])
    haze = torch.tensor([[float(name == "visible.haze") for name in DEGRADATIONS]])
    assert sample_weights(rain, table)[0].tolist() == [1, 1, 10, 12]
    assert sample_weights(haze, table)[0].tolist() == [8, 1, 3, 12]


def test_the_terms_have_known_answers() -> None:
    flat = torch.full((1, 1, 64, 64), 0.5)
    ramp = torch.linspace(0, 0.6, 64).view(1, 1, 1, 64).expand(1, 1, 64, 64)
    grey = ramp.expand(-1, 3, -1, -1)
    # The fused picture is the brighter source already, with all of its slopes, in its colours.
    intensity, structure, gradient, colour = fusion_terms(grey, torch.zeros_like(flat), grey)[0].tolist()
    assert (intensity, gradient, colour) == pytest.approx((0, 0, 0), abs=1e-6)
    assert structure == pytest.approx(1.0, abs=0.02)
    # A step of 0.6 / 63 per pixel answers eight times as much in the raw Sobel kernel.
    missing = fusion_terms(torch.zeros_like(grey), torch.zeros_like(flat), grey)[0]
    inner = 8 * 0.6 / 63
    assert float(missing[2]) == pytest.approx(inner * 63 / 64, rel=0.02)
    assert float(missing[0]) == pytest.approx(0.3, rel=0.01)
    # SSIM of two flat pictures is its luminance term.
    wanted = (2 * 0.5 * 0.25 + 1e-4) / (0.5**2 + 0.25**2 + 1e-4)
    assert float(gaussian_ssim(flat, flat / 2)) == pytest.approx(wanted, abs=1e-3)
    assert float(gaussian_ssim(ramp, ramp)) == pytest.approx(1.0, abs=1e-5)
    # The window of 48 shrinks to the picture where that is smaller.
    assert float(gaussian_ssim(ramp[..., :20, :20], ramp[..., :20, :20])) == pytest.approx(1.0, abs=1e-5)


def test_a_batch_is_the_mean_of_its_samples() -> None:
    infrared, visible = pictures(50, 52, batch=3)
    output = pictures(50, 52, seed=1, batch=3)[1].requires_grad_()
    asked = torch.zeros(3, 20)
    asked[0, DEGRADATIONS.index("visible.over_exposure")] = 0.7
    asked[1, DEGRADATIONS.index("infrared.noise")] = 0.4
    batch = {"infrared_target": infrared, "visible_target": visible, "conditioning": asked}
    table = weight_table(load_recipe("text-if-small").degradation_weights)
    whole = degradation_objective(output, batch, table)
    single = [
        degradation_objective(output[n : n + 1], {k: v[n : n + 1] for k, v in batch.items()}, table) for n in range(3)
    ]
    for name, value in whole.items():
        torch.testing.assert_close(value, torch.stack([one[name] for one in single]).mean())
    assert float(single[0]["ssim"].detach()) == 0.0
    torch.stack(list(whole.values())).sum().backward()
    assert output.grad is not None and output.grad.isfinite().all()


# EMS


def write_ems(root: Path, place: str, names: Mapping[str, Sequence[str]], size: tuple[int, int] = (24, 30)) -> None:
    """Pictures whose level tells folder and stem: Infrared 10 + n, Infrared_gt 60 + n, Visible 110 + n, _gt 160 + n."""
    for level, folder in ((10, "Infrared"), (60, "Infrared_gt"), (110, "Visible"), (160, "Visible_gt")):
        for name in names[folder]:
            shape = (*size, 3) if folder.startswith("Vis") else size
            picture = np.full(shape, level + int(Path(name).stem), np.uint8)
            lexifuse.write_image(root / place / folder / name, picture)


EMS_NAMES = {
    "Infrared": ["10.png", "9.png", "2.png"],
    "Infrared_gt": ["2.png", "9.png", "10.png"],
    "Visible": ["9.tif", "2.tif", "10.tif", "30.tif"],
    "Visible_gt": ["10.png", "9.png", "2.png"],
}


def test_ems_is_paired_by_stem(tmp_path: Path) -> None:
    write_ems(tmp_path, "train/Low_light", EMS_NAMES)
    write_ems(tmp_path, "IR_Stripe_noise/train", {name: ["4.png"] for name in EMS_NAMES})
    write_ems(tmp_path, "IR_Stripe_noise/eval", {name: ["5.png"] for name in EMS_NAMES})
    (tmp_path / "train/Low_light/text").mkdir()
    (tmp_path / "train/Low_light/text/a.txt").write_text("it is dark\n\nbrighten it\n")
    dataset = open_ems(tmp_path)
    assert dataset.degradations == ("visible.low_light", "infrared.stripes")
    assert dataset.prompts == {"visible.low_light": ("it is dark", "brighten it")}
    assert [path.name for path in dataset.unpaired] == ["30.tif"]
    dark = dataset.of("visible.low_light")
    assert sorted(item.name for item in dark) == ["10", "2", "9"]
    for item in dark:
        paths = (item.infrared, item.clean_infrared, item.visible, item.clean_visible)
        assert {path.stem for path in paths} == {item.name}
    assert [item.name for item in open_ems(tmp_path, "eval").items] == ["5"]


@pytest.mark.parametrize(
    ("folder", "degradation"),
    [
        ("Low_light/train", "visible.low_light"),
        ("train/Over_exposure", "visible.over_exposure"),
        ("vis_Exposure", "visible.over_exposure"),
        ("train/vis_Random_noise", "visible.noise"),
        ("vis_Haze", "visible.haze"),
        ("vis_Rain", "visible.rain"),
        ("vis_Blur", "visible.blur"),
        ("IR_Low_contrast", "infrared.low_contrast"),
        ("ir_Random_noise", "infrared.noise"),
        ("IR_Noise/train", "infrared.noise"),
        ("ir_Stripe_noise", "infrared.stripes"),
    ],
)
def test_the_published_folder_names_are_understood(folder: str, degradation: str) -> None:
    assert degradation_of(Path(folder)) == degradation


def test_ems_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        open_ems(tmp_path / "EMS")
    with pytest.raises(InputError, match="no complete pairs"):
        open_ems(tmp_path)
    write_ems(tmp_path, "train/holiday", {name: ["4.png"] for name in EMS_NAMES})
    with pytest.raises(InputError, match="cannot tell the degradation"):
        open_ems(tmp_path)


def test_a_sample_of_ems_is_judged_by_its_clean_pair(tmp_path: Path) -> None:
    write_ems(tmp_path, "train/IR_Noise", EMS_NAMES)
    dataset = open_ems(tmp_path)
    book = PromptBook(0, canonical=0.0, seed=0)
    sample = restoration_sample(dataset, 28, book, np.random.default_rng(0))
    number = round(float(sample["infrared"].mean()) * 255) - 10
    levels = {"infrared_target": 60, "visible": 110, "visible_target": 160}
    for name, level in levels.items():
        torch.testing.assert_close(sample[name], torch.full_like(sample[name], (level + number) / 255))
    assert sample["visible"].shape == (3, 28, 28)
    assert sample["prompt"] == "the infrared image is noisy"
    asked = [name for name, value in zip(DEGRADATIONS, sample["conditioning"], strict=False) if value]
    assert asked == ["infrared.noise"]
