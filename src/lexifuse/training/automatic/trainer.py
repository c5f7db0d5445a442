"""Training of the network that reads pictures: features are collected once and kept, then learned from in a minute."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

from lexifuse.errors import ModelError
from lexifuse.files import atomic_file
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS
from lexifuse.training.automatic.network import AutomaticNetwork
from lexifuse.training.automatic.samples import SOURCES, PixelSamples, open_pictures
from lexifuse.training.trainer import single_threaded

_CHUNK = 500
_SEVERITY_WEIGHT = 4.0 / len(DEGRADATIONS)


class AutomaticRecipe(BaseModel):
    """How the network that reads pictures is trained.

    Attributes:
        sources: data sets and how often each is drawn from.
        scenes: how many are rendered.
        samples: damaged and undamaged pairs to learn from.
        variants: how often a degradation of theirs is drawn from ``damage_variants.py``; never of the held-out ones.
        held_out: samples of held-out pairs, which thresholds are chosen on.
        epochs: passes over the samples.
        batch: samples per step.
        learning_rate: at its peak; a cosine brings it down to zero.
        weight_decay: of AdamW.
        seed: of samples and weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, float] = SOURCES
    scenes: int = 60
    samples: int = 112_000
    variants: float = 0.2
    held_out: int = 2_000
    epochs: int = 60
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Collected:
    """Features (N, F) and true severities (N, 9) of samples."""

    features: Tensor
    severity: Tensor


def collect(recipe: AutomaticRecipe, data: Path, out: Path, *, workers: int = 1) -> tuple[Collected, Collected]:
    """The samples to learn from and the held-out ones; those that an earlier run left in ``out`` are not made again.

    Args:
        recipe: how many of what.
        data: folder of the data sets.
        out: folder where they are kept, in chunks.
        workers: loader processes; 0 for none.

    Raises:
        ModelError: what lies in ``out`` was made by another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    _check_choices(recipe, out / "recipe.json")
    pictures = open_pictures(data, recipe.sources, recipe.scenes)
    sets = []
    for name, count, held_out in (("train", recipe.samples, False), ("held_out", recipe.held_out, True)):
        seed, variants = recipe.seed + held_out, 0.0 if held_out else recipe.variants
        samples = PixelSamples(pictures, recipe.sources, count, seed=seed, variants=variants, held_out=held_out)
        sets.append(_collect(samples, out, name, workers))
    return sets[0], sets[1]


def _check_choices(recipe: AutomaticRecipe, path: Path) -> None:
    choices = recipe.model_dump_json(include={"sources", "scenes", "samples", "variants", "held_out", "seed"})
    if path.is_file() and path.read_text() != choices:
        raise ModelError(f"{path.parent} holds samples of another recipe: start in another --out folder")
    with atomic_file(path) as file:
        file.write(choices.encode())


def _collect(samples: PixelSamples, out: Path, name: str, workers: int) -> Collected:
    chunks: list[np.ndarray] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(f"samples ({name})", total=len(samples))
        for start in range(0, len(samples), _CHUNK):
            path = out / f"{name}_{start:06d}.npy"
            numbers = range(start, min(start + _CHUNK, len(samples)))
            if not path.is_file():
                rows = np.concatenate(list(_rows(Subset(samples, numbers), workers)))
                with atomic_file(path) as file:
                    np.save(file, rows)
            chunks.append(np.load(path, allow_pickle=False))
            progress.update(task, completed=numbers.stop)
    table = torch.from_numpy(np.concatenate(chunks))
    return Collected(table[:, : -len(DEGRADATIONS)], table[:, -len(DEGRADATIONS) :])


def _rows(samples: Dataset[dict[str, Tensor]], workers: int) -> Iterator[np.ndarray]:
    for batch in DataLoader(samples, batch_size=50, num_workers=workers, worker_init_fn=single_threaded):
        yield torch.cat((batch["features"], batch["severity"]), 1).float().numpy()


def loss_of(logits: Tensor, estimated: Tensor, severity: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of presence, and absolute error of the severity where there is damage.

    Args:
        logits: (B, 9) of presence.
        estimated: (B, 9) severities in 0..1.
        severity: (B, 9), the truth; 0 where a degradation is not there.
    """
    there = (severity >= ASKED_FOR).float()
    error = (estimated - severity).abs() * there
    return functional.binary_cross_entropy_with_logits(logits, there), error.sum() / there.sum().clamp_min(1.0)


def fit(recipe: AutomaticRecipe, samples: Collected) -> AutomaticNetwork:
    """Learn from collected samples; the same samples and recipe give the same network."""
    torch.manual_seed(recipe.seed)
    network = AutomaticNetwork(samples.features.shape[1])
    network.normalise_by(samples.features)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    per_epoch = -(-len(samples.features) // recipe.batch)
    total = recipe.epochs * per_epoch
    generator = torch.Generator().manual_seed(recipe.seed)
    order = torch.arange(len(samples.features))
    with Progress() as progress:
        task = progress.add_task("learning", total=total)
        for step in range(total):
            if step % per_epoch == 0:
                torch.randperm(len(samples.features), generator=generator, out=order)
            chosen = order[step % per_epoch * recipe.batch :][: recipe.batch]
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * step / total))
            logits, severities = network(samples.features[chosen])
            presence, error = loss_of(logits, severities, samples.severity[chosen])
            (presence + _SEVERITY_WEIGHT * error).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            progress.advance(task)
    return network.eval()
