"""Training, through its public surface, on scenes that the project renders: it learns, resumes exactly and exports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import lexifuse
from lexifuse.errors import InputError, ModelError, UsageError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.pair import read_pair
from lexifuse.training import losses
from lexifuse.training.checkpoint import load_average
from lexifuse.training.crops import open_crops
from lexifuse.training.export import export_model
from lexifuse.training.networks.compact_fine import CompactFineFusion
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.networks.planes import rgb_to_ycbcr, ycbcr_to_rgb
from lexifuse.training.objective import fusion_target, no_darker, objective
from lexifuse.training.recipe import DataSource, LossWeights, Recipe, SampleMix, for_word, load_recipe
from lexifuse.training.samples import Samples
from lexifuse.training.trainer import StepSampler, train

RECIPE = Recipe(
    network="compact-fine",
    sources=(DataSource(name="synthetic", crops=16),),
    crop_store=72,
    crop=48,
    batch=4,
    steps=24,
    warm_up=4,
    validation=4,
    widths=(12, 16, 16, 16),
    losses=LossWeights(vif=0.6, qabf=1.5, scd=0.3, consistency=5.0, consistency_start=0.5),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crop store shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("crops")
    open_crops(RECIPE, folder, folder)
    return folder


def _train(out: Path, cache: Path, **options: int) -> Path:
    result = train(RECIPE, cache, out, accelerator="cpu", workers=0, cache=cache, **options)  # type: ignore[arg-type]
    return result.checkpoint


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    network = CompactFineFusion(RECIPE.widths)
    load_average(checkpoint, network)
    return dict(network.state_dict())


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(tmp_path_factory.mktemp("run"), cache)


def test_training_lowers_the_loss(trained: Path, cache: Path) -> None:
    samples = Samples(open_crops(RECIPE, cache, cache), RECIPE)
    batch = {name: torch.stack([samples[n][name] for n in range(16)]) for name in samples[0]}

    def loss(network: torch.nn.Module) -> float:
        with torch.no_grad():
            output = network(batch["infrared"], batch["visible"], batch["conditioning"])
            return float(sum(objective(output, batch, RECIPE.losses, None).values()))

    torch.manual_seed(RECIPE.seed)
    before = CompactFineFusion(RECIPE.widths)
    after = CompactFineFusion(RECIPE.widths)
    load_average(trained, after)
    assert loss(after) < 0.9 * loss(before)


def test_an_interrupted_run_resumes_to_the_same_weights(trained: Path, cache: Path, tmp_path: Path) -> None:
    _train(tmp_path, cache, stop_after=10)
    resumed = _weights(_train(tmp_path, cache))
    for name, value in _weights(trained).items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_another_recipe_or_a_damaged_one_is_refused(trained: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(trained.read_bytes())
    other = RECIPE.model_copy(update={"learning_rate": 0.1})
    with pytest.raises(ModelError, match="made by another recipe"):
        train(other, cache, tmp_path, accelerator="cpu", workers=0, cache=cache)
    (tmp_path / "checkpoint.safetensors").write_bytes(trained.read_bytes()[:1000])
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        train(RECIPE, cache, tmp_path, accelerator="cpu", workers=0, cache=cache)


def test_two_processes_train_through_the_command_line(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "sources: [{name: synthetic, crops: 16}]\ncrop_store: 72\ncrop: 48\nbatch: 4\nsteps: 3\nwarm_up: 1\n"
        "network: compact-fine\nvalidation: 4\nwidths: [12, 16, 16, 16]\n"
    )
    command = ["train", "compact-fine", "--recipe", "tiny.yaml", "--data", ".", "-o", "run", "--accelerator", "cpu"]
    result = subprocess.run(
        [sys.executable, "-m", "lexifuse", *command, "--devices", "2", "--workers", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
    assert "(3 steps)" in result.stdout


def test_processes_share_the_samples_of_a_step_between_them() -> None:
    whole = list(StepSampler(RECIPE.batch, 3, 6, 0, 1))
    halves = [list(StepSampler(RECIPE.batch, 3, 6, rank, 2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*halves, strict=True)] == whole


def test_export_agrees_with_torch_on_any_size(trained: Path, tmp_path: Path) -> None:
    model = export_model(trained, tmp_path / "model", name="tiny")
    fuser = lexifuse.load(tmp_path / "model")
    network = CompactFineFusion(RECIPE.widths)
    load_average(trained, network)
    rng = np.random.default_rng(1)
    for height, width in ((16, 16), (64, 48), (160, 32)):
        infrared = rng.random((height, width), dtype=np.float32)
        visible = rng.random((height, width, 3), dtype=np.float32)
        asked = lexifuse.Instruction.from_dict({"visible": {"haze": 0.7}, "balance": 0.4})
        with torch.no_grad():
            wanted = (
                network(
                    torch.from_numpy(infrared)[None, None],
                    torch.from_numpy(visible).permute(2, 0, 1)[None],
                    torch.from_numpy(fuser.conditioning(read_pair(infrared, visible), asked))[None],
                )
                .clamp(0, 1)[0]
                .permute(1, 2, 0)
            )
        np.testing.assert_allclose(fuser.fuse(infrared, visible, asked, insist=True).image, wanted.numpy(), atol=1e-3)
    assert model.card.name == "tiny"
    assert model.card.training["steps"] == RECIPE.steps
    with pytest.raises(InputError, match="there is no checkpoint"):
        export_model(tmp_path / "nothing.safetensors", tmp_path)


def test_the_finer_network_keeps_its_budget() -> None:
    from lexifuse.training.export import count_gmac

    network = CompactFineFusion(load_recipe("compact-fine").widths)
    assert sum(weight.numel() for weight in network.parameters()) <= 1_000_000
    assert count_gmac(network) <= 5.0


def test_samples_are_the_same_every_time_and_of_three_kinds(cache: Path) -> None:
    samples = Samples(open_crops(RECIPE, cache, cache), RECIPE)
    kinds = set()
    for number in range(90):
        sample = samples[number]
        damaged = bool((sample["visible"] != sample["visible_target"]).any())
        damaged |= bool((sample["infrared"] != sample["infrared_target"]).any())
        kinds.add((damaged, bool(sample["conditioning"][:9].any())))
        if number < 5:
            for name, value in samples[number].items():
                torch.testing.assert_close(value, sample[name], rtol=0, atol=0)
    # Repaired with the right words; left alone without words; left alone although words ask for what is not there.
    assert kinds >= {(True, True), (False, False), (False, True)}


def test_wishes_steer_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    infrared, visible = (torch.rand(1, n, 64, 64, generator=generator) * 0.6 for n in (1, 3))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    luma, chroma = rgb_to_ycbcr(visible)

    def target(mask: torch.Tensor, **wishes: float) -> torch.Tensor:
        conditioning = torch.zeros(1, len(CONDITIONING_FIELDS))
        for name, value in wishes.items():
            conditioning[0, CONDITIONING_FIELDS.index(name)] = value
        made = fusion_target(infrared, visible, mask, conditioning)
        torch.testing.assert_close(made.chroma, chroma)
        return made.luma

    nothing = torch.zeros_like(mask)
    torch.testing.assert_close(target(nothing), torch.maximum(infrared, luma))
    torch.testing.assert_close(target(nothing, balance=1.0), infrared)
    torch.testing.assert_close(target(nothing, balance=-1.0), luma)
    lifted = target(mask, **{"highlight.person": 1.0})
    assert (lifted - target(nothing))[mask > 0].mean() > 0.08
    torch.testing.assert_close(lifted[mask == 0], target(nothing)[mask == 0])
    assert (target(nothing, keep_texture=1.0) != target(nothing)).any()


def test_losses_agree_with_the_metrics() -> None:
    from lexifuse.metrics import fusion_metrics

    rng = np.random.default_rng(0)
    import cv2

    planes = [cv2.GaussianBlur(rng.integers(0, 256, (160, 160), np.uint8), (0, 0), 2.0) for _ in range(2)]
    planes = [cv2.normalize(plane, plane.copy(), 0, 255, cv2.NORM_MINMAX) for plane in planes]
    fused = np.maximum(*planes)
    wanted = fusion_metrics(planes[0], planes[1], fused)
    first, second, output = (torch.from_numpy(np.asarray(p, np.float32) / 255)[None, None] for p in (*planes, fused))
    fidelity = losses.visual_information_fidelity
    assert float(fidelity(first, output) + fidelity(second, output)) == pytest.approx(wanted["VIF"], rel=0.03)
    assert float(losses.ssim(output, first) + losses.ssim(output, second)) == pytest.approx(wanted["SSIM"], rel=0.01)
    scd = float(losses.sum_of_correlated_differences(first, second, output))
    assert scd == pytest.approx(wanted["SCD"], rel=0.01)
    assert float(losses.qabf(first, second, output)) == pytest.approx(wanted["Qabf"], rel=0.15)


@pytest.mark.parametrize(("height", "width"), [(40, 17), (17, 17), (33, 90)])
def test_gaussian_means_are_those_of_a_convolution(height: int, width: int) -> None:
    plane = torch.rand(3, 1, height, width, dtype=torch.float64)
    taps = torch.exp(-((torch.arange(17, dtype=torch.float64) - 8) ** 2) / (2 * 3.4**2))
    window = torch.outer(taps, taps)
    wanted = torch.nn.functional.conv2d(plane, (window / window.sum())[None, None])
    torch.testing.assert_close(losses.gaussian_mean(17, 3.4, plane)(plane), wanted)


def test_colour_conversion_comes_back() -> None:
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(ycbcr_to_rgb(*rgb_to_ycbcr(image)), image, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: 5", "sources: Field required"),
        ("steps: x\nsources: []", "steps: Input should be a valid integer"),
        ("steps: 5\nsources: []\nspeed: 3", "speed: Extra inputs are not permitted"),
        ("steps: [", "is not YAML"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"recipe .*wrong\.yaml") as error:
        load_recipe(path)
    assert message in str(error.value)
    with pytest.raises(UsageError, match="there is no recipe 'nothing': choose from compact"):
        load_recipe("nothing")


def test_words_can_be_trained_alone(cache: Path, tmp_path: Path, trained: Path) -> None:
    mix = SampleMix(damaged=1.0, emphasis={name: float(name == "visible.blur") for name in DEGRADATIONS}, counts=(1.0,))
    update = {"only": ("visible.blur",), "weight_decay": 0.0, "steps": 3, "mix": mix}
    recipe = RECIPE.model_copy(update=update)
    result = train(recipe, cache, tmp_path / "only", accelerator="cpu", workers=0, cache=cache, initial=trained)
    before, after = CompactFineFusion(RECIPE.widths), CompactFineFusion(RECIPE.widths)
    load_average(trained, before)
    load_average(result.checkpoint, after)
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert "own_words.weight" in changed
    assert all(name.startswith("own_") for name in changed)
    # Whatever is asked without the word, and whatever the pair is like, the network answers as before.
    pair = torch.rand(4, 1, 32, 32), torch.rand(4, 3, 32, 32)
    words = torch.rand(4, len(CONDITIONING_FIELDS))
    assert not torch.equal(before(*pair, words), after(*pair, words))
    words[:, CONDITIONING_FIELDS.index("visible.blur")] = 0
    assert torch.equal(before(*pair, words), after(*pair, words))


@pytest.mark.parametrize("word", ["infrared.stripes", "visible.low_light", "balance"])
def test_a_word_that_is_trained_alone_is_said_rightly_and_wrongly(cache: Path, word: str) -> None:
    alone = for_word(load_recipe("compact-fine-word"), word)
    recipe = RECIPE.model_copy(update={"only": alone.only, "mix": alone.mix})
    samples = Samples(open_crops(recipe, cache, cache), recipe)
    said, repaired = [], []
    for number in range(80):
        sample = samples[number]
        said.append(float(sample["conditioning"][CONDITIONING_FIELDS.index(word)]))
        repaired.append(not torch.equal(sample["infrared"], sample["infrared_target"]))
    assert recipe.only == (word,)
    assert sum(value != 0 for value in said) > 40
    assert (min(said) < 0) == (word == "balance")
    if word == "infrared.stripes":
        about = [repair for value, repair in zip(said, repaired, strict=True) if value > 0]
        assert any(about)
        assert not all(about)


def test_only_words_are_trained_alone() -> None:
    with pytest.raises(UsageError, match=r"--word takes balance or a degradation, not 'visible\.fog': one of"):
        for_word(load_recipe("compact-fine-word"), "visible.fog")


def test_a_brightened_night_loses_nothing_that_glowed() -> None:
    brightened, plain = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.1)
    plain[..., 2:4, 2:4] = 0.9
    wanted = no_darker(brightened, plain)
    assert torch.allclose(wanted[..., 2:4, 2:4], torch.tensor(0.9), atol=1e-3)
    wanted[..., 2:4, 2:4] = 0.5
    assert torch.allclose(wanted, brightened, atol=1e-3)


def test_a_natural_night_is_brightened_and_marked_so(cache: Path) -> None:
    mix = SampleMix(damaged=0.0, false_alarm=0.0, wish=0.0, night=1.0)
    samples = Samples(open_crops(RECIPE, cache, cache), RECIPE.model_copy(update={"mix": mix}))
    low_light = CONDITIONING_FIELDS.index("visible.low_light")
    found = [samples[number] for number in range(40)]
    marked = [sample for sample in found if sample["brightened"] > 0]
    assert 0 < len(marked) < len(found)
    assert all((sample["conditioning"][low_light] > 0) == (sample["brightened"] > 0) for sample in found)
    assert all(sample["visible_target"].mean() > sample["visible"].mean() for sample in marked)


def _terms(output: torch.Tensor, batch: dict[str, torch.Tensor], **weights: float) -> dict[str, float]:
    terms = objective(output, batch, LossWeights(**weights), None)  # type: ignore[arg-type]
    return {name: float(term) for name, term in terms.items()}


def _pair_batch(infrared: torch.Tensor, visible: torch.Tensor, **flags: float) -> dict[str, torch.Tensor]:
    """A batch of one undamaged pair that nothing is asked of, unless ``flags`` say otherwise."""
    one = torch.ones(1)
    flags = {"plain": 1.0, "undamaged": 1.0, "brightened": 0.0, **flags}
    return {
        "infrared": infrared,
        "visible": visible,
        "infrared_target": infrared,
        "visible_target": visible,
        "highlight": torch.zeros_like(infrared),
        "conditioning": torch.zeros(1, len(CONDITIONING_FIELDS)),
        **{name: one * value for name, value in flags.items()},
    }


def test_evenness_forgives_a_brighter_sky_and_no_cloud_in_it() -> None:
    sky = torch.full((1, 3, 64, 64), 0.7)
    batch = _pair_batch(sky[:, :1] - 0.3, sky)

    def evenness(output: torch.Tensor) -> float:
        everything = torch.ones(1, dtype=torch.bool)
        return float(objective(output, batch, LossWeights(evenness=1.0), sky, everything)["evenness"])

    cloudy = sky.clone()
    cloudy[..., 16:48, 16:48] -= 0.1
    assert evenness(sky + 0.1) == pytest.approx(0.0, abs=1e-6)
    assert evenness(cloudy) > 0.01


def test_what_likeness_may_shape_is_held_where_the_sources_are_far_apart() -> None:
    infrared, visible = torch.full((1, 1, 64, 64), 0.4), torch.full((1, 3, 64, 64), 0.35)
    infrared[..., 30:34, 30:34] = 0.95
    batch = _pair_batch(infrared, visible)
    reference = torch.maximum(infrared, visible)
    cold, grainy = reference.clone(), reference.clone()
    cold[..., 30:34, 30:34] = 0.35
    grainy[..., ::2, 40:] += 0.02

    def repair(output: torch.Tensor, bound: float) -> float:
        weights = LossWeights(consistency=1.0, power=2, bound=bound)
        return float(objective(output, batch, weights, reference, torch.ones(1, dtype=torch.bool))["repair"])

    assert repair(grainy, 0.1) == pytest.approx(0.1 * repair(grainy, 1.0), rel=0.05)
    assert repair(cold, 0.1) > repair(cold, 1.0)


def test_contrast_makes_a_small_area_of_large_differences_outweigh_a_large_one_of_small_ones() -> None:
    visible = torch.full((1, 3, 48, 48), 0.3)
    infrared = torch.full((1, 1, 48, 48), 0.35)
    infrared[..., 20:28, 20:28] = 0.9
    batch = _pair_batch(infrared, visible)
    without_person = visible + 0.05
    without_ground = torch.maximum(infrared, visible)
    without_ground = torch.where(without_ground < 0.5, without_ground - 0.1, without_ground)

    def intensity(output: torch.Tensor, contrast: float) -> float:
        return _terms(output, batch, contrast=contrast)["intensity"]

    assert intensity(without_person, 0.0) < intensity(without_ground, 0.0)
    assert intensity(without_person, 5.0) > 1.5 * intensity(without_ground, 5.0)
    batch["conditioning"][:, CONDITIONING_FIELDS.index("balance")] = -1.0
    assert intensity(without_ground, 5.0) == intensity(without_ground, 0.0)


def test_likeness_to_a_damaged_source_is_no_aim(cache: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    visible, infrared = torch.rand((1, 3, 64, 64), generator=generator), torch.rand((1, 1, 64, 64), generator=generator)
    for undamaged, terms in ((1.0, {"vif", "qabf", "scd"}), (0.0, set())):
        batch = _pair_batch(infrared, visible, undamaged=undamaged)
        values = _terms(visible, batch, vif=1.0, qabf=1.0, scd=1.0)
        assert {"vif", "qabf", "scd"} & set(values) == terms
        assert (values["ssim"] > 0) is bool(undamaged)
    mix = SampleMix(damaged=1.0, unasked=1.0, false_alarm=0.0, wish=0.0, night=0.0)
    recipe = RECIPE.model_copy(update={"mix": mix})
    assert not any(Samples(open_crops(RECIPE, cache, cache), recipe)[n]["undamaged"] for n in range(8))
