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
from lexifuse.training.checkpoint import load_average
from lexifuse.training.crops import open_crops
from lexifuse.training.export import export_model
from lexifuse.training.networks.compact_fine import CompactFineFusion
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.objective import objective
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


def test_a_natural_night_is_brightened_and_marked_so(cache: Path) -> None:
    mix = SampleMix(damaged=0.0, false_alarm=0.0, wish=0.0, night=1.0)
    samples = Samples(open_crops(RECIPE, cache, cache), RECIPE.model_copy(update={"mix": mix}))
    low_light = CONDITIONING_FIELDS.index("visible.low_light")
    found = [samples[number] for number in range(40)]
    marked = [sample for sample in found if sample["brightened"] > 0]
    assert 0 < len(marked) < len(found)
    assert all((sample["conditioning"][low_light] > 0) == (sample["brightened"] > 0) for sample in found)
    assert all(sample["visible_target"].mean() > sample["visible"].mean() for sample in marked)


def test_haze_can_be_kept_from_nights(cache: Path) -> None:
    mix = SampleMix(
        damaged=1.0,
        counts=(1.0,),
        emphasis={name: float(name == "visible.haze") for name in DEGRADATIONS},
        unasked=0.0,
        false_alarm=0.0,
        wish=0.0,
    )
    store = open_crops(RECIPE, cache, cache)
    hazy: dict[float, list[bool]] = {}
    for share in (1.0, 0.0):
        kept = RECIPE.model_copy(update={"mix": mix.model_copy(update={"night_haze": share, "night": 0.0})})
        drawn = [Samples(store, kept)[number] for number in range(40)]
        hazy[share] = [not torch.equal(sample["visible"], sample["visible_target"]) for sample in drawn]
    assert all(hazy[1.0])
    assert 0 < sum(hazy[0.0]) < len(hazy[0.0])  # of days alone


def test_damage_that_nobody_asks_to_repair_is_marked(cache: Path) -> None:
    mix = SampleMix(damaged=1.0, unasked=1.0, false_alarm=0.0, wish=0.0, night=0.0)
    recipe = RECIPE.model_copy(update={"mix": mix})
    assert not any(Samples(open_crops(RECIPE, cache, cache), recipe)[n]["undamaged"] for n in range(8))
