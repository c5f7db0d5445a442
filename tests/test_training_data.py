"""What training is fed with: samples that are the same in every process, pairs in register, recipes without slips."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file

from lexifuse.automatic import read_pixels
from lexifuse.errors import InputError, ModelError, UsageError
from lexifuse.evidence import limits, within
from lexifuse.instruction import DEGRADATIONS
from lexifuse.pair import ImagePair
from lexifuse.pixels import change_depth
from lexifuse.training.checkpoint import load_checkpoint, load_weights
from lexifuse.training.crops import open_crops, training_pairs
from lexifuse.training.networks.compact import CompactFusion
from lexifuse.training.networks.instructed import INSTRUCTION_FIELDS
from lexifuse.training.recipe import DataSource, Recipe, load_recipe
from lexifuse.training.samples import Samples
from lexifuse.training.trainer import train

_SAMPLES = """
import hashlib, sys
from pathlib import Path
from lexifuse.training.crops import open_crops
from lexifuse.training.recipe import load_recipe
from lexifuse.training.samples import Samples
recipe = load_recipe("tiny.yaml")
samples = Samples(open_crops(recipe, Path("."), Path(".")), recipe)
told = [samples[number]["conditioning"].numpy().tobytes() for number in range(24)]
sys.stdout.write(hashlib.sha256(b"".join(told)).hexdigest())
"""

_TINY = (
    "sources: [{name: synthetic, crops: 8}]\ncrop_store: 40\ncrop: 32\nbatch: 4\nsteps: 6\nwarm_up: 1\n"
    "validation: 4\nmix: {damaged: 1.0, counts: [0.0, 0.0, 1.0]}\n"
)


def _pair(data: Path, name: str, infrared: tuple[int, int], visible: tuple[int, int]) -> None:
    for kind, size, value in (("ir", infrared, 60), ("vi", visible, 90)):
        folder = data / "mine" / "train" / kind
        folder.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(value, value + 100, size[1], dtype=np.float32)[None].repeat(size[0], 0)
        cv2.imwrite(str(folder / f"{name}.png"), ramp.astype(np.uint8))


def _recipe(**fields: object) -> Recipe:
    source = DataSource(name="mine", crops=6, scale=(1.0, 1.0))
    return Recipe.model_validate(
        {"sources": (source,), "crop_store": 40, "crop": 32, "steps": 2, "validation": 2, **fields}
    )


def test_a_sample_is_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(_TINY)
    found = {
        subprocess.run(
            [sys.executable, "-c", _SAMPLES],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout[-64:]
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_amounts_are_those_that_are_seen_and_all_else_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "sources: [{name: synthetic, crops: 8}]\ncrop_store: 96\ncrop: 80\nbatch: 4\nsteps: 6\nvalidation: 4\n"
        "mix: {damaged: 0.8, unasked: 0.3, false_alarm: 0.3}\n"
    )
    said = load_recipe(str(tmp_path / "tiny.yaml"))
    mixed = said.model_copy(update={"mix": said.mix.model_copy(update={"seen": 1.0})})
    store = open_crops(said, tmp_path, tmp_path)
    fields, present, absent = list(INSTRUCTION_FIELDS), 0, 0
    for number in range(24):
        before, after = (Samples(store, recipe)[number] for recipe in (said, mixed))
        for name in ("infrared", "visible", "infrared_target", "visible_target", "statistics_target"):
            assert torch.equal(before[name], after[name])
        pair = ImagePair(
            change_depth(after["infrared"][0].numpy(), np.uint8),
            change_depth(after["visible"].permute(1, 2, 0).numpy(), np.uint8),
        )
        seen = read_pixels(pair)
        for name in DEGRADATIONS:
            told_before, told = (float(sample["conditioning"][fields.index(name)]) for sample in (before, after))
            assert bool(told) == bool(told_before)
            if told and not before["brightened"]:
                in_full = told == pytest.approx(within(0.6, seen.severity[name]), abs=1e-3)
                present += in_full
                absent += told < 0.1
                assert in_full or seen.probability[name] < limits(name)[1]
    assert present > 5 and absent > 0


def test_amounts_are_not_seen_for_networks_that_hear_sentences(tmp_path: Path) -> None:
    (tmp_path / "text.yaml").write_text(
        "network: text-if\ntext: {encoder: embedded, width: 384}\nsources: [{name: synthetic, crops: 8}]\n"
        "crop_store: 40\ncrop: 32\nsteps: 2\nmix: {seen: 0.5}\n"
    )
    with pytest.raises(UsageError, match=r"mix\.seen is for networks that hear severities"):
        load_recipe(str(tmp_path / "text.yaml"))


def test_pairs_that_are_not_in_register_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        _pair(tmp_path, name, (64, 80), (64, 80))
    _pair(tmp_path, "odd", (64, 80), (128, 160))
    names = [name for name, _, _ in training_pairs(_recipe().sources[0], tmp_path)]
    assert names == ["a", "b"]
    told = capsys.readouterr().err
    assert "mine: left out odd: the two pictures differ in size" in told


def test_without_a_usable_pair_there_is_nothing_to_cut(tmp_path: Path) -> None:
    _pair(tmp_path, "odd", (64, 80), (128, 160))
    with pytest.raises(InputError, match="no pair of the data set 'mine' can be used"):
        open_crops(_recipe(), tmp_path, tmp_path / "cache")


def test_fewer_crops_than_pairs_come_from_all_over_the_listing(tmp_path: Path) -> None:
    for number in range(12):
        _pair(tmp_path, f"{number:02}", (48, 48), (48, 48))
    names = [name for name, _, _ in training_pairs(DataSource(name="mine", crops=3), tmp_path)]
    assert names == ["00", "04", "08"]


def test_infrared_in_three_channels_keeps_its_grey_levels(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for kind in ("ir", "vi"):
        folder = tmp_path / "mine" / "train" / kind
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "a.png"), np.repeat(levels[..., None], 3, axis=2))
    (_, infrared, _), *_ = training_pairs(_recipe().sources[0], tmp_path)
    assert np.array_equal(infrared, levels)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"mix": {"emphasis": {"visible.fog": 2}}},
            "mix.emphasis: unknown degradation 'visible.fog', choose from visible.low",
        ),
        ({"only": ["visible.fog"]}, "only: unknown degradation 'visible.fog'"),
        ({"steps": 0}, "steps: Input should be greater than 0"),
        ({"batch": -1}, "batch: Input should be greater than 0"),
        ({"crop": 16}, "crop: Input should be greater than or equal to 32"),
        ({"crop": 32, "losses": {"vif": 1.0}}, "crop 32 is too small for the loss vif"),
        ({"crop": 64}, "crop 64 cannot be cut from stored crops of 40"),
    ],
)
def test_slips_in_a_recipe_are_told_in_one_line(tmp_path: Path, fields: dict, message: str) -> None:
    import yaml

    base = {"sources": [{"name": "mine", "crops": 6}], "crop_store": 40, "crop": 32, "steps": 2, "validation": 2}
    (tmp_path / "slip.yaml").write_text(yaml.safe_dump({**base, **fields}))
    with pytest.raises(UsageError) as caught:
        load_recipe(tmp_path / "slip.yaml")
    assert message in str(caught.value) and "\n" not in str(caught.value) and ": :" not in str(caught.value)


def test_a_recipe_that_holds_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sources have 6 crops, and validation holds out 64"):
        open_crops(_recipe(validation=64), tmp_path, tmp_path / "cache")


def test_a_batch_that_devices_cannot_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a batch of 8 cannot be divided among 3 devices"):
        train(_recipe(), tmp_path, tmp_path / "run", accelerator="cpu", devices=3)


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    network = CompactFusion()
    with pytest.raises(InputError, match="there is no checkpoint"):
        load_weights(tmp_path / "none.safetensors", network)
    (tmp_path / "damaged.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ModelError, match="is not a checkpoint"):
        load_weights(tmp_path / "damaged.safetensors", network)
    save_file({"a": torch.zeros(2)}, tmp_path / "bare.safetensors")
    with pytest.raises(ModelError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "bare.safetensors", network, network, torch.optim.AdamW([torch.zeros(1)]), _recipe())
