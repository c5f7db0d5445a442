"""The trainer: a recipe, a crop store and a folder in; checkpoints, curves and pictures out. Resumes exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Sampler

from lexifuse.errors import UsageError
from lexifuse.training.checkpoint import load_checkpoint, save_checkpoint
from lexifuse.training.crops import CropStore, open_crops
from lexifuse.training.families import Family, family_of
from lexifuse.training.losses import keep_digits
from lexifuse.training.object_masks import read_boxes
from lexifuse.training.recipe import Recipe
from lexifuse.training.starting_weights import load_start
from lexifuse.training.teacher import Teacher
from lexifuse.training.text_encoders import TextEncoder
from lexifuse.training.validation import panel, validate

CHECKPOINT = "checkpoint.safetensors"
_LOG_EVERY, _SAVE_EVERY, _VALIDATE_EVERY = 50, 500, 1000


class StepSampler(Sampler[list[int]]):
    """The sample numbers of each step from ``start`` on, for one of ``world`` processes."""

    def __init__(self, batch: int, start: int, stop: int, rank: int = 0, world: int = 1) -> None:
        self.batch, self.start, self.stop, self.rank, self.world = batch, start, stop, rank, world

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch // self.world
        for step in range(self.start, self.stop):
            first = step * self.batch + self.rank * share
            yield list(range(first, first + share))


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth of the peak, or a polynomial of degree 0.9 down to nothing."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    progress = (step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1)
    if recipe.schedule == "polynomial":
        return recipe.learning_rate * max(1.0 - progress, 0.0) ** 0.9
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def average_decay(recipe: Recipe, step: int) -> float:
    """The decay of the averaged weights: short memory at first, so that the random start is soon forgotten."""
    return min(recipe.average_decay, (1 + step) / (10 + step))


@dataclass(frozen=True)
class TrainingResult:
    """Where a run left its checkpoint, the steps made, and the last validation values by name."""

    checkpoint: Path
    steps: int
    validation: dict[str, float]


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    accelerator: str = "auto",
    devices: int = 1,
    workers: int = 1,
    stop_after: int | None = None,
    cache: Path | None = None,
    initial: str | Path | None = None,
    boxes: Path | None = None,
    text_encoder: TextEncoder | None = None,
    teacher: Teacher | None = None,
) -> TrainingResult:
    """Train a fusion network, or go on where an interrupted run in ``out`` stopped.

    Args:
        recipe: what to train, on what, how.
        data: folder of the data sets that the recipe names.
        out: folder for the checkpoint and the TensorBoard curves and pictures.
        accelerator: as in Lightning Fabric: ``auto``, ``cpu``, ``cuda``, ``mps``.
        devices: number of processes or devices; the batch is divided among them.
        workers: loader processes per device.
        stop_after: stop after this many steps in all (the schedule stays that of the recipe).
        cache: folder of the crop store; ``out/crops`` where not given.
        initial: what a new run starts from (fine-tuning): a checkpoint, of which the averaged weights are taken, or the
            name or folder of an exported model.
        boxes: file of the people and vehicles in the real pairs, for the wish to bring them out.
        text_encoder: the frozen encoder that the recipe names, where it is another than ``embedded``.
        teacher: a finished model that a network which hears instructions is to learn from.

    Raises:
        UsageError: the batch cannot be divided among the devices, or the recipe and what is given do not fit.
        InputError: a data set or a picture cannot be used.
        ModelError: ``out`` holds a run of another recipe, or ``initial`` is another network.
    """
    if teacher is not None:
        recipe = recipe.model_copy(update={"teacher": teacher.facts})
    if recipe.batch % devices:
        raise UsageError(f"a batch of {recipe.batch} cannot be divided among {devices} devices: change one of them")
    family = family_of(recipe, text_encoder, teacher)
    logger = TensorBoardLogger(out, name="curves", version="")
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        strategy="auto",
        precision=recipe.precision,
        loggers=logger,
    )

    def run(fabric: Fabric) -> TrainingResult:
        return _run(fabric, family, data, out, workers, stop_after, cache, initial, boxes)

    # One device needs no launcher; with several, every process but the first runs the same command again.
    return fabric.launch(run) if devices > 1 else run(fabric)


def _run(
    fabric: Fabric,
    family: Family,
    data: Path,
    out: Path,
    workers: int,
    stop_after: int | None,
    cache: Path | None,
    initial: str | Path | None,
    boxes: Path | None,
) -> TrainingResult:
    recipe = family.recipe
    keep_digits()
    with fabric.rank_zero_first():
        store = open_crops(recipe, data, cache or out / "crops", read_boxes(boxes) if boxes else None)
    torch.manual_seed(recipe.seed)
    network = family.network()
    if initial is not None:
        load_start(initial, family, network)
    # On its device before the optimiser is made: what a checkpoint holds of the optimiser then goes there, too.
    network = fabric.to_device(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    # What judges repairs and is exported normalises by what it has learned, not by the batch.
    average = AveragedModel(network).eval()
    start = 0
    if (out / CHECKPOINT).is_file():
        start = load_checkpoint(out / CHECKPOINT, network, average, optimiser, recipe)
    model, optimiser = fabric.setup(network, optimiser)
    stop = min(stop_after or recipe.steps, recipe.steps)
    loader = _loader(fabric, family, store, data, start, stop, workers)
    out.mkdir(parents=True, exist_ok=True)
    values: dict[str, float] = {}
    with training_progress(disable=not fabric.is_global_zero) as progress:
        told = ""
        task = progress.add_task(recipe.network, total=stop, completed=start, loss=told)
        for step, batch in enumerate(loader, start=start):
            total = _step(fabric, family, model, average, optimiser, batch, step)
            told = f"loss {total:.3f}" if step % _LOG_EVERY == 0 else told
            progress.update(task, completed=step + 1, loss=told)
            done = step + 1
            if done % _SAVE_EVERY == 0 or done == stop:
                if fabric.is_global_zero:
                    save_checkpoint(out / CHECKPOINT, network, average, optimiser, done, recipe)
                    if not progress.console.is_terminal:
                        progress.console.print(f"step {done} of {stop}", highlight=False)
                fabric.barrier()
            if fabric.is_global_zero and (done % _VALIDATE_EVERY == 0 or done == stop):
                judged = family.by_instruction(average.module)
                values = validate(judged, store, recipe)
                fabric.log_dict({f"validation/{name}": value for name, value in values.items()}, done)
                _log_panel(fabric, judged, store, recipe, done)
    return TrainingResult(out / CHECKPOINT, stop, values)


def _step(
    fabric: Fabric,
    family: Family,
    model: nn.Module,
    average: AveragedModel,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Any],
    step: int,
) -> float:
    recipe = family.recipe
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step)
    batch = {name: _arranged(value) for name, value in batch.items()}
    terms = family.terms(model, average, batch, step)
    loss = torch.stack(list(terms.values())).sum()
    fabric.backward(loss)
    fabric.clip_gradients(model, optimiser, max_norm=1.0, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    average.multi_avg_fn = get_ema_multi_avg_fn(average_decay(recipe, step))
    average.update_parameters(model)
    if step % _LOG_EVERY == 0:
        fabric.log_dict({f"loss/{name}": float(term.detach()) for name, term in terms.items()}, step)
        fabric.log("learning rate", learning_rate(recipe, step), step)
        fabric.log_dict(family.figures(average.module), step)
        return float(loss.detach())
    return math.nan


def _arranged(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    several = value.ndim == 4 and value.shape[1] > 1
    return value.contiguous(memory_format=torch.channels_last if several else torch.contiguous_format)


def _loader(
    fabric: Fabric, family: Family, store: CropStore, data: Path, start: int, stop: int, workers: int
) -> DataLoader[dict[str, Any]]:
    sampler = StepSampler(family.recipe.batch, start, stop, fabric.global_rank, fabric.world_size)
    loader = DataLoader(
        family.samples(store, data),
        batch_sampler=sampler,
        num_workers=workers,
        worker_init_fn=single_threaded,
        persistent_workers=False,
    )
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)  # type: ignore[return-value]


def single_threaded(_worker: int) -> None:
    """Loader processes leave the cores to the training process."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _log_panel(fabric: Fabric, network: nn.Module, store: CropStore, recipe: Recipe, step: int) -> None:
    logger = fabric.logger
    assert isinstance(logger, TensorBoardLogger)
    logger.experiment.add_image("validation", panel(network, store, recipe), step)


def training_progress(*, disable: bool = False) -> Progress:
    """A bar for the steps of a training run, with its loss."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"), disable=disable)
