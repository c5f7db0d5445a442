"""Training of the network that reads pictures: a folder of data sets in, a checkpoint out. Resumes exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset

from lexifuse.instruction import ASKED_FOR
from lexifuse.training.automatic.samples import PixelSamples, open_pictures
from lexifuse.training.checkpoint import load_checkpoint, save_checkpoint
from lexifuse.training.networks.automatic import AutomaticNetwork

CHECKPOINT = "automatic.safetensors"
_SAVE_EVERY, _SEVERITY_WEIGHT = 250, 4.0


class AutomaticRecipe(BaseModel):
    """How the network that reads pictures is trained.

    Attributes:
        steps: gradient steps.
        batch: samples per step.
        learning_rate: at its peak; a cosine brings it down to nought.
        weight_decay: of AdamW.
        average_decay: of the averaged weights, which are the ones exported.
        seed: of samples and weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = 2500
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    average_decay: float = 0.995
    seed: int = 0


@dataclass(frozen=True)
class Loss:
    """Loss terms of one step."""

    presence: Tensor
    severity: Tensor


def loss_of(logits: Tensor, estimated: Tensor, severity: Tensor) -> Loss:
    """Cross-entropy of presence, and absolute error of the severity where there is damage.

    Args:
        logits: (B, 9) of presence.
        estimated: (B, 9) severities in 0..1.
        severity: (B, 9), the truth; 0 where a degradation is not there.
    """
    there = (severity >= ASKED_FOR).float()
    error = (estimated - severity).abs() * there
    return Loss(functional.binary_cross_entropy_with_logits(logits, there), error.sum() / there.sum().clamp_min(1.0))


def train_automatic(recipe: AutomaticRecipe, data: Path, out: Path, *, workers: int = 1) -> Path:
    """Train, or go on where an interrupted run in ``out`` stopped; the checkpoint.

    Args:
        recipe: how.
        data: folder of the data sets.
        out: folder for the checkpoint.
        workers: loader processes.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = AutomaticNetwork()
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average_decay))
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    path = out / CHECKPOINT
    start = load_checkpoint(path, network, average, optimiser, recipe) if path.is_file() else 0
    samples = PixelSamples(open_pictures(data), recipe.steps * recipe.batch, seed=recipe.seed)
    rest = Subset(samples, range(start * recipe.batch, recipe.steps * recipe.batch))
    loader = DataLoader(rest, batch_size=recipe.batch, num_workers=workers, worker_init_fn=_single_threaded)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[loss]}")) as progress:
        task = progress.add_task("automatic", total=recipe.steps, completed=start, loss="")
        for step, batch in enumerate(loader, start=start):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step)
            logits, severities = network(batch["patches"], batch["thumbnail"], batch["statistics"])
            loss = loss_of(logits, severities, batch["severity"])
            (loss.presence + _SEVERITY_WEIGHT * loss.severity / 9).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            average.update_parameters(network)
            told = f"presence {float(loss.presence.detach()):.3f}, severity {float(loss.severity.detach()):.3f}"
            progress.update(task, completed=step + 1, loss=told)
            if (step + 1) % _SAVE_EVERY == 0 or step + 1 == recipe.steps:
                save_checkpoint(path, network, average, optimiser, step + 1, recipe)
                if not progress.console.is_terminal:
                    progress.console.print(f"step {step + 1} of {recipe.steps}: {told}", highlight=False)
    return path


def learning_rate(recipe: AutomaticRecipe, step: int) -> float:
    """A hundred steps of warm-up, then a cosine."""
    rise = min((step + 1) / 100, 1.0)
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))


def _single_threaded(_worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
