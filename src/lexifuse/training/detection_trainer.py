"""Training of a detector: a recipe, an annotation list and a folder in; checkpoint and curves out. Resumes exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from lexifuse.boxes import CLASSES, IGNORED, draw
from lexifuse.datasets.annotated import AnnotationList
from lexifuse.metrics.average_precision import LabelledPicture, average_precision, require
from lexifuse.metrics.detection_matches import best_threshold
from lexifuse.training.checkpoint import load_checkpoint, save_checkpoint
from lexifuse.training.detection_losses import IGNORE
from lexifuse.training.detection_recipe import DetectorRecipe
from lexifuse.training.detection_samples import DetectionSamples, as_tensor, collate
from lexifuse.training.detection_store import WindowStore, open_windows
from lexifuse.training.detector import CompactDetector
from lexifuse.training.trainer import CHECKPOINT, StepSampler, TrainingResult, training_progress

_LOG_EVERY, _SAVE_EVERY, _VALIDATE_EVERY = 20, 200, 500
_SHOWN = 8
_LEAST_SCORE = 0.02


def network_of(recipe: DetectorRecipe) -> CompactDetector:
    """The network that a recipe describes, untrained."""
    return CompactDetector(recipe.widths, recipe.neck, box_loss=recipe.box_loss, box_weight=recipe.box_weight)


def train_detector(
    recipe: DetectorRecipe,
    annotations: AnnotationList,
    data: Path,
    out: Path,
    *,
    accelerator: str = "auto",
    workers: int = 0,
    stop_after: int | None = None,
    cache: Path | None = None,
) -> TrainingResult:
    """Train a detector, or go on where an interrupted run in ``out`` stopped.

    Args:
        recipe: what to train, on which kind of pictures, how.
        annotations: pairs with boxes.
        data: folder of the data sets.
        out: folder for the checkpoint and the TensorBoard curves and pictures.
        accelerator: as in Lightning Fabric: ``auto``, ``cpu``, ``cuda``, ``mps``.
        workers: loader processes.
        stop_after: stop after this many steps in all (the schedule stays that of the recipe).
        cache: folder of the window store; ``out/windows`` where not given.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
        InputError: a picture cannot be used, or a class has no object to train on.
        ModelError: ``out`` holds a run of another recipe.
    """
    require()  # before the windows are cut, not at the first validation
    logger = TensorBoardLogger(out, name="curves", version="")
    fabric = Fabric(accelerator=accelerator, devices=1, precision=recipe.precision, loggers=logger)
    store = open_windows(recipe, annotations, data, cache or out / "windows")
    torch.manual_seed(recipe.seed)
    network = fabric.to_device(network_of(recipe).to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, recipe), lr=recipe.learning_rate)
    average = AveragedModel(network, use_buffers=True)
    out.mkdir(parents=True, exist_ok=True)
    start = 0
    if (out / CHECKPOINT).is_file():
        start = load_checkpoint(out / CHECKPOINT, network, average, optimiser, recipe)
    model, optimiser = fabric.setup(network, optimiser)
    model.mark_forward_method("losses")
    stop = min(stop_after or recipe.steps, recipe.steps)
    values: dict[str, float] = {}
    with training_progress() as progress:
        told = ""
        task = progress.add_task(recipe.network, total=stop, completed=start, loss=told)
        for step, batch in enumerate(_batches(fabric, recipe, store, start, stop, workers), start=start):
            total = _step(fabric, recipe, model, average, optimiser, batch, step)
            told = f"loss {total:.3f}" if step % _LOG_EVERY == 0 else told
            progress.update(task, completed=step + 1, loss=told)
            done = step + 1
            if done % _SAVE_EVERY == 0 or done == stop:
                save_checkpoint(out / CHECKPOINT, network, average, optimiser, done, recipe)
            if done % _VALIDATE_EVERY == 0 or done == stop:
                values = _judge(fabric, average.module, store, recipe, done)
                if not progress.console.is_terminal:
                    told = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
                    progress.console.print(f"step {done} of {stop}: {told}", highlight=False)
    return TrainingResult(out / CHECKPOINT, stop, values)


def _judge(
    fabric: Fabric, network: nn.Module, store: WindowStore, recipe: DetectorRecipe, step: int
) -> dict[str, float]:
    """Measure on the held-out windows, and put figures and pictures into TensorBoard."""
    values = validate_detector(network, store, lambda number: as_tensor(store.picture(number, recipe.pictures)))
    fabric.log_dict({f"validation/{name}": value for name, value in values.items()}, step)
    logger = fabric.logger
    assert isinstance(logger, TensorBoardLogger)
    logger.experiment.add_image("validation", _panel(network, store, recipe), step)
    return values


def learning_rate(recipe: DetectorRecipe, step: int) -> float:
    """Linear warm-up, then a cosine down to a fiftieth of the peak."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    progress = min((step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1), 1.0)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def validate_detector(network: nn.Module, store: WindowStore, look: Callable[[int], Tensor]) -> dict[str, float]:
    """AP50 and AP50-95 in the mean of the classes, AP50 of each, and the best threshold, on the held-out windows.

    Args:
        network: a :class:`CompactDetector`.
        store: the windows.
        look: the number of a window to its picture as the network sees it, (3, H, W) in 0..1.
    """
    assert isinstance(network, CompactDetector)
    numbers = np.flatnonzero(store.held_out)
    if not len(numbers):
        return {}
    network.eval()
    truth, found = [], []
    for number in numbers.tolist():
        picture = look(number)
        boxes, labels = store.boxes_of(number)
        names = [IGNORED if label == IGNORE else CLASSES[label] for label in labels.tolist()]
        known = tuple(zip((tuple(box) for box in boxes.astype(float).tolist()), names, strict=True))
        truth.append(LabelledPicture(picture.shape[2], picture.shape[1], known))  # type: ignore[arg-type]
        found.append(network.detect(_on(network, picture[None]), _LEAST_SCORE)[0])
    if not any(picture.count(label) for picture in truth for label in CLASSES):
        return {}
    measured = average_precision(truth, found)
    values = {name: row["mean"] for name, row in measured.items()}
    values |= {f"AP50 {label}": measured["AP50"][label] for label in CLASSES}
    return values | {"best threshold": best_threshold(truth, found)}


def _batches(
    fabric: Fabric, recipe: DetectorRecipe, store: WindowStore, start: int, stop: int, workers: int
) -> DataLoader[Any]:
    samples, steps = DetectionSamples(recipe, store), StepSampler(recipe.batch, start, stop)
    loader: DataLoader[Any] = DataLoader(samples, batch_sampler=steps, num_workers=workers, collate_fn=collate)
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)  # type: ignore[return-value]


def parameter_groups(network: nn.Module, recipe: DetectorRecipe) -> list[dict[str, Any]]:
    """Weight decay for kernels only: biases and normalisations are left free."""
    kernels = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim <= 1]
    return [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _step(
    fabric: Fabric,
    recipe: DetectorRecipe,
    model: Any,
    average: AveragedModel,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Any],
    step: int,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step)
    model.train()
    classification, boxes = model.losses(batch["images"], batch["targets"])
    loss = classification + boxes
    fabric.backward(loss)
    fabric.clip_gradients(model, optimiser, max_norm=10.0, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    average.multi_avg_fn = get_ema_multi_avg_fn(min(recipe.average_decay, (1 + step) / (10 + step)))
    average.update_parameters(model)
    if step % _LOG_EVERY == 0:
        terms = {"classification": float(classification.detach()), "boxes": float(boxes.detach())}
        fabric.log_dict({f"loss/{name}": value for name, value in terms.items()}, step)
        fabric.log("learning rate", learning_rate(recipe, step), step)
        return float(loss.detach())
    return math.nan


def _panel(network: nn.Module, store: WindowStore, recipe: DetectorRecipe) -> Tensor:
    """A few held-out windows with what was found, (3, H, W) uint8."""
    assert isinstance(network, CompactDetector)
    network.eval()
    numbers = np.flatnonzero(store.held_out)
    chosen = numbers[np.linspace(0, len(numbers) - 1, min(_SHOWN, len(numbers))).astype(int)]
    if not len(chosen):
        return torch.zeros(3, 8, 8, dtype=torch.uint8)
    drawn = [
        draw(picture, network.detect(_on(network, as_tensor(picture)[None]))[0])
        for picture in (store.picture(int(number), recipe.pictures) for number in chosen)
    ]
    return torch.from_numpy(np.concatenate(drawn, axis=1)).permute(2, 0, 1)


def _on(network: nn.Module, images: Tensor) -> Tensor:
    return images.to(next(network.parameters()).device)
