"""The networks that hear instructions: their arithmetic, what they cost, and how one learns from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import default_collate

import lexifuse
from lexifuse.errors import ModelError, UsageError
from lexifuse.models import find_model
from lexifuse.training.crops import open_crops
from lexifuse.training.export import count_gmac, export_model
from lexifuse.training.families import Family, family_of
from lexifuse.training.networks.compact import OVERLAP, CompactFusion
from lexifuse.training.networks.compact_fine import CompactFineFusion
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.networks.planes import HEADS, Doubling, WeightedSources, interleave, of_full_size, rgb_to_ycbcr
from lexifuse.training.objective import has_reference, with_glow
from lexifuse.training.recipe import DataSource, Recipe, load_recipe
from lexifuse.training.samples import Samples
from lexifuse.training.teacher import TaughtSamples, Teacher
from lexifuse.training.trainer import train

RECIPE = Recipe(
    network="compact",
    sources=(DataSource(name="synthetic", crops=16),),
    crop_store=72,
    crop=64,
    batch=4,
    steps=8,
    warm_up=4,
    validation=4,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crop store shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("crops")
    open_crops(RECIPE, folder, folder)
    return folder


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20)
def test_interleaving_is_pixel_shuffle(batch: int, channels: int, height: int, width: int) -> None:
    features = torch.rand(batch, 4 * channels, height, width)
    assert torch.equal(interleave(features), functional.pixel_shuffle(features, 2))
    doubling = Doubling(4 * channels, channels)
    wanted = functional.pixel_shuffle(functional.conv2d(features, doubling.weight, doubling.bias), 2)
    torch.testing.assert_close(doubling(features).permute(0, 3, 1, 2), wanted)


def test_kernels_of_full_size_see_what_those_on_unshuffled_pixels_see() -> None:
    picture, kernels = torch.rand(2, 3, 12, 16), torch.rand(5, 12, 3, 3)
    wanted = functional.conv2d(functional.pixel_unshuffle(picture, 2), kernels, padding=1)
    torch.testing.assert_close(functional.conv2d(picture, of_full_size(kernels), stride=2, padding=2), wanted)


def test_sources_are_weighted_pixel_by_pixel() -> None:
    infrared, visible, heads = torch.rand(2, 1, 8, 12), torch.rand(2, 3, 8, 12), torch.rand(2, 4 * HEADS, 4, 6)
    a, b, c, r, gain, blue, red = functional.pixel_shuffle(heads, 2).split(1, 1)
    luma, chroma = rgb_to_ycbcr(visible)
    fused, fused_chroma = rgb_to_ycbcr(WeightedSources()(infrared, visible, heads))
    wanted = a * infrared + b * luma + (1 + c) * torch.maximum(infrared, luma) + r
    torch.testing.assert_close(fused, wanted, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(fused_chroma, (1 + gain) * chroma + torch.cat((blue, red), 1), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("make", [CompactFusion, CompactFineFusion])
def test_without_a_head_a_network_is_the_brighter_pixel(make: type[torch.nn.Module]) -> None:
    network = make()
    for parameter in network.head.parameters():  # type: ignore[union-attr, operator]
        torch.nn.init.zeros_(parameter)
    infrared, visible = torch.rand(2, 1, 32, 64), torch.rand(2, 3, 32, 64)
    luma, chroma = rgb_to_ycbcr(network(infrared, visible, torch.rand(2, len(CONDITIONING_FIELDS))))
    seen, colours = rgb_to_ycbcr(visible)
    torch.testing.assert_close(luma, torch.maximum(infrared, seen), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(chroma, colours, rtol=1e-3, atol=1e-3)


def test_the_compact_network_takes_little_work() -> None:
    network = CompactFusion()
    assert count_gmac(network) <= 2.2
    assert sum(weight.numel() for weight in network.parameters()) <= 650_000


def test_the_compact_network_sees_so_far_and_no_further() -> None:
    """What of that matters, the margin of a tile, is for the trained network to say: see test_fuser.py."""
    torch.manual_seed(0)
    network = CompactFusion().double()
    torch.nn.init.normal_(network.around_sixteenth.back.weight, std=0.1)
    reach = 336
    assert reach > OVERLAP
    side = 2 * reach + 32
    pictures = [torch.rand(1, channels, side, side, dtype=torch.float64) for channels in (1, 3)]
    words = torch.zeros(1, len(CONDITIONING_FIELDS), dtype=torch.float64)
    inside = slice(reach, side - reach)
    with torch.no_grad():
        before = network(*pictures, words)[..., inside, inside]
        for picture in pictures:
            picture[..., 0, :] = 1 - picture[..., 0, :]
            picture[..., :, -1] = 1 - picture[..., :, -1]
        after = network(*pictures, words)[..., inside, inside]
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)


def test_samples_bring_what_the_teacher_makes_of_the_clean_pair(cache: Path) -> None:
    model = find_model("compact-fine")
    samples = TaughtSamples(open_crops(RECIPE, cache, cache), RECIPE, Teacher(model))
    fuser = lexifuse.Fuser(model)
    plain = next(sample for sample in (samples[n] for n in range(60)) if sample["plain"] and sample["undamaged"])
    picture = fuser.fuse(plain["infrared"][0].numpy(), plain["visible"].permute(1, 2, 0).numpy()).image
    np.testing.assert_allclose(plain["reference"].permute(1, 2, 0).numpy(), picture, atol=2e-3)
    repaired = next(
        sample
        for sample in (samples[n] for n in range(60))
        if sample["undamaged"] and (sample["visible"] != sample["visible_target"]).any()
    )
    clean = repaired["infrared_target"][0].numpy(), repaired["visible_target"].permute(1, 2, 0).numpy()
    close = np.abs(repaired["reference"].permute(1, 2, 0).numpy() - fuser.fuse(*clean).image).mean()
    assert close < 0.02


def test_what_a_teacher_leaves_out_of_warm_people_is_aimed_at() -> None:
    infrared, picture = torch.full((2, 1, 96, 96), 0.3), torch.full((2, 3, 96, 96), 0.35)
    infrared[:, :, 40:56, 44:52] = 0.9
    lit = rgb_to_ycbcr(with_glow(picture, infrared, torch.tensor([1.0, 0.0])))[0]
    assert lit[0, 0, 41:55, 45:51].min() > 0.8
    torch.testing.assert_close(lit[0, 0, :30], torch.full((30, 96), 0.35), atol=1e-3, rtol=0)
    torch.testing.assert_close(lit[1], torch.full((1, 96, 96), 0.35), atol=1e-3, rtol=0)
    # A picture that is warm as a whole has nobody in it who glows.
    even = with_glow(picture, torch.full_like(infrared, 0.9), torch.ones(2))
    torch.testing.assert_close(even, picture, atol=1e-3, rtol=0)


def test_a_learner_that_fuses_as_its_teacher_has_nothing_to_learn(cache: Path) -> None:
    family = family_of(RECIPE, teacher=Teacher(find_model("compact-fine")))
    samples = family.samples(open_crops(RECIPE, cache, cache), cache)
    network = family.network()
    batch = default_collate([samples[number] for number in range(8)])

    def loss(reference: torch.Tensor) -> float:
        return sum(
            float(term) for term in family.terms(network, network, {**batch, "reference": reference}, 0).values()
        )

    with torch.no_grad():
        same = network(batch["infrared"], batch["visible"], batch["conditioning"])
        assert loss(same) == pytest.approx(0, abs=1e-3)
        assert loss(batch["reference"]) > loss(torch.lerp(same, batch["reference"], 0.5)) > 0.1


def test_likeness_to_the_sources_may_weigh_beside_a_teacher(cache: Path) -> None:
    weights = RECIPE.losses.model_copy(update={"vif": 1.0, "qabf": 2.0, "scd": 0.5})
    family = family_of(RECIPE.model_copy(update={"losses": weights}), teacher=Teacher(find_model("compact-fine")))
    samples = family.samples(open_crops(RECIPE, cache, cache), cache)
    chosen = [samples[number] for number in range(40)]
    plain = [sample for sample in chosen if sample["plain"] * sample["undamaged"] > 0]
    others = [sample for sample in chosen if not sample["plain"] * sample["undamaged"] > 0]
    network = family.network()
    likeness = {"vif", "qabf", "scd"}
    assert likeness <= set(family.terms(network, network, default_collate(plain[:2]), 0))
    assert likeness.isdisjoint(family.terms(network, network, default_collate(others[:4]), 0))


def test_a_teacher_that_bounds_leaves_fine_detail_to_likeness_and_repairs_to_the_network_itself(cache: Path) -> None:
    losses = RECIPE.losses.model_copy(update={"consistency": 9.0, "detail": 80.0, "tone": 80.0, "evenness": 160.0})
    teacher = Teacher(find_model("compact-fine"))
    taught, bounded = (
        family_of(RECIPE.model_copy(update={"losses": losses.model_copy(update={"bound": bound})}), teacher=teacher)
        for bound in (1.0, 0.1)
    )
    store = open_crops(RECIPE, cache, cache)
    samples, own_samples = taught.samples(store, cache), bounded.samples(store, cache)
    network = taught.network()

    def terms(family: Family, numbers: list[int], made_by: Samples) -> dict[str, float]:
        with torch.no_grad():
            found = family.terms(network, network, default_collate([made_by[number] for number in numbers]), 0)
        return {name: float(term) for name, term in found.items()}

    chosen = {number: samples[number] for number in range(40)}
    plain = [number for number, sample in chosen.items() if sample["plain"] * sample["undamaged"] > 0][:2]
    strictly, loosely = terms(taught, plain, samples), terms(bounded, plain, own_samples)
    assert min(strictly[name] for name in ("repair", "detail", "tone", "evenness")) > 0
    assert loosely["detail"] == pytest.approx(0.1 * strictly["detail"], rel=1e-4)
    assert loosely["repair"] < strictly["repair"]
    for name in ("tone", "evenness"):
        assert loosely[name] == pytest.approx(strictly[name], rel=1e-4)
    # What is asked for is judged by what the network itself makes of the clean pair, whoever stands beside it.
    asked = [
        number for number, sample in chosen.items() if has_reference({"conditioning": sample["conditioning"][None]})
    ]
    alone, beside = terms(bounded, asked[:1], own_samples), terms(bounded, [asked[0], plain[0]], own_samples)
    assert alone["repair"] != pytest.approx(terms(taught, asked[:1], samples)["repair"], rel=0.01)
    plain_alone = terms(bounded, plain[:1], own_samples)
    assert beside["repair"] == pytest.approx((alone["repair"] + plain_alone["repair"]) / 2, rel=1e-3)


def test_the_compact_network_is_trained_and_exported(cache: Path, tmp_path: Path) -> None:
    teacher = Teacher(find_model("compact-fine"))
    result = train(RECIPE, cache, tmp_path, accelerator="cpu", workers=0, cache=cache, teacher=teacher)
    assert result.steps == RECIPE.steps and np.isfinite(list(result.validation.values())).all()
    model = export_model(result.checkpoint, tmp_path / "model", name="quick")
    assert model.card.gmac <= 2.2 and model.card.overlap == OVERLAP
    picture = (
        lexifuse.load(tmp_path / "model").fuse(np.zeros((50, 70), np.uint8), np.zeros((50, 70, 3), np.uint8)).image
    )
    assert picture.shape == (50, 70, 3)


def test_a_run_goes_on_under_its_own_teacher_alone(cache: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"accelerator": "cpu", "workers": 0, "cache": cache}
    result = train(RECIPE, cache, tmp_path, stop_after=2, teacher=Teacher(find_model("compact-fine")), **options)
    facts = export_model(result.checkpoint, tmp_path / "model").card.training["recipe"]["teacher"]
    assert facts == {"model": "compact-fine", "sha256": find_model("compact-fine").card.sha256}
    for other in (None, Teacher(find_model("compact"))):
        with pytest.raises(ModelError, match="made by another recipe"):
            train(RECIPE, cache, tmp_path, teacher=other, **options)


def test_who_hears_no_instructions_cannot_teach() -> None:
    with pytest.raises(UsageError, match="--teacher compact-fine"):
        Teacher(find_model("text-if-small"))


def test_the_recipe_that_ships_is_for_a_learner() -> None:
    recipe = load_recipe("compact")
    assert recipe.network == "compact" and recipe.losses.consistency > 0 and recipe.losses.consistency_start == 0


def test_crops_of_a_size_that_cannot_be_taken_are_told_of(cache: Path, tmp_path: Path) -> None:
    odd = RECIPE.model_copy(update={"crop": 48})
    with pytest.raises(UsageError, match="crop: network compact takes multiples of 32 pixels, not 48"):
        train(odd, cache, tmp_path, accelerator="cpu", workers=0, cache=cache)
    with pytest.raises(ValueError, match="crop 96 cannot be cut from stored crops of 72"):
        Recipe.model_validate({**RECIPE.model_dump(), "crop": 96})
