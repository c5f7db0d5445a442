"""Training of a detector on pictures that stay as they are, step by step as training together does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from lexifuse.datasets.annotated import AnnotationList
from lexifuse.training.bilevel_recipe import BilevelRecipe
from lexifuse.training.bilevel_samples import BilevelSamples
from lexifuse.training.bilevel_trainer import detector_source, follow, schedule_of, set_rate
from lexifuse.training.checkpoint import InTraining, save_checkpoint
from lexifuse.training.detection_samples import as_tensor
from lexifuse.training.detection_store import open_windows
from lexifuse.training.detection_trainer import learning_rate, parameter_groups
from lexifuse.training.looks import Look
from lexifuse.training.trainer import CHECKPOINT


def train_on(
    look: Look,
    recipe: BilevelRecipe,
    annotations: AnnotationList,
    data: Path,
    out: Path,
    *,
    detector: Path | None = None,
    cache: Path | None = None,
) -> Path:
    """Train a detector alone. Crops, order, start, schedule and steps are those that ``train_bilevel`` gives it.

    Args:
        look: what makes the pictures.
        recipe: of training together; what it says of the upper level is not used.
        annotations: pairs with boxes and prompts.
        data: folder of the data sets.
        out: folder for the checkpoint.
        detector: checkpoint to start from; one of the shipped recipe starts from scratch where not given.
        cache: folder of the window store; ``out/windows`` where not given.

    Returns:
        The checkpoint.

    Raises:
        InputError: a picture or a checkpoint cannot be used, or words are missing.
    """
    torch.manual_seed(recipe.seed)
    source = detector_source(detector)
    schedule = schedule_of(recipe, source.recipe)
    store = open_windows(schedule, annotations, data, cache or out / "windows")
    samples = BilevelSamples(schedule, store, recipe.prompts)
    network: Any = source.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, schedule))
    average = AveragedModel(network, use_buffers=True)
    trained = InTraining(network, average, optimiser)
    for step in track(range(recipe.steps), description="detector"):
        images, targets = _pictures(look, _lower(samples, recipe.batch, step))
        set_rate(trained, learning_rate(schedule, step))
        network.train().loss(images, targets).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.max_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        follow(trained, recipe, step)
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out / CHECKPOINT, network, average, optimiser, recipe.steps, source.recipe)
    return out / CHECKPOINT


def _lower(samples: BilevelSamples, batch: int, step: int) -> Iterator[dict[str, Any]]:
    """The samples that the detector sees at a step of ``train_bilevel``: the second half of those that are drawn."""
    first = 2 * batch * step + batch
    return (samples[number] for number in range(first, first + batch))


def _pictures(look: Look, batch: Iterator[dict[str, Any]]) -> tuple[Tensor, list[Any]]:
    images, targets = [], []
    for sample in batch:
        infrared, visible = (
            np.ascontiguousarray((sample[name] * 255).round().byte().permute(1, 2, 0).numpy())
            for name in ("infrared", "visible")
        )
        images.append(as_tensor(look(infrared[..., 0], visible, sample["prompt"])))
        targets.append(sample["target"])
    return torch.stack(images).contiguous(memory_format=torch.channels_last), targets
