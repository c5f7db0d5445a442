"""Training of fusion and detection together: two networks and annotated pairs in, both out. Resumes exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from lexifuse.datasets.annotated import AnnotationList
from lexifuse.errors import ModelError
from lexifuse.metrics.average_precision import require
from lexifuse.training.bilevel import FusionDetection, Loss, StepResult, Strategy, strategy_of
from lexifuse.training.bilevel_recipe import BilevelRecipe
from lexifuse.training.bilevel_samples import BilevelSamples, both_levels, gather
from lexifuse.training.checkpoint import (
    InTraining,
    load_together,
    load_weights,
    save_checkpoint,
    save_together,
    stored,
)
from lexifuse.training.detection_export import load_detector_checkpoint
from lexifuse.training.detection_recipe import DetectorRecipe, load_detector_recipe
from lexifuse.training.detection_store import open_windows
from lexifuse.training.detection_trainer import (
    learning_rate,
    network_of,
    parameter_groups,
    validate_detector,
)
from lexifuse.training.detector import CompactDetector
from lexifuse.training.families import TextToPixelsFamily
from lexifuse.training.losses import keep_digits
from lexifuse.training.recipe import Recipe
from lexifuse.training.recipe_files import checked_recipe
from lexifuse.training.text_encoders import TextEncoder
from lexifuse.training.trainer import CHECKPOINT, StepSampler, training_progress

FUSION, DETECTOR = "fusion.safetensors", "detector.safetensors"
_LOG_EVERY, _SAVE_EVERY = 20, 200
_SHOWN = ("loss/upper", "loss/lower")


@dataclass(frozen=True)
class BilevelResult:
    """What a run left.

    Attributes:
        checkpoint: to go on from.
        fusion: checkpoint of the fusion network, for ``lexifuse export``.
        detector: the same of the detector.
        steps: made in all.
        validation: of the averaged networks on the held-out windows, by name.
    """

    checkpoint: Path
    fusion: Path
    detector: Path
    steps: int
    validation: dict[str, float]


@dataclass(frozen=True)
class Source:
    """A network as it comes, with the recipe that made it and the steps that were made."""

    network: nn.Module
    recipe: Any
    steps: int


class Sequential(Strategy):
    """No training together, but what it is compared with: x stays as it is, y makes one step down f."""

    def step(self, upper: Loss, lower: Loss) -> StepResult:  # noqa: ARG002
        """Move y once; F is not computed."""
        return StepResult(torch.tensor(math.nan), self._descend(lower))


class TwoLevels:
    """A fusion network above and a detector below, with all that changes while they are trained together.

    The codes of the fusion network belong to the upper level: the lower one looks at its pictures with codes at rest.

    Args:
        recipe: of the training.
        family: of the fusion network.
        fusion: a :class:`TextToPixels`.
        detector: a :class:`CompactDetector`.
        schedule: of the detector, with the sizes and the rates of this training.
    """

    def __init__(
        self,
        recipe: BilevelRecipe,
        family: TextToPixelsFamily,
        fusion: nn.Module,
        detector: nn.Module,
        schedule: DetectorRecipe,
    ) -> None:
        assert isinstance(detector, CompactDetector)
        self.recipe, self.family, self.schedule = recipe, family, schedule
        above = torch.optim.AdamW(fusion.parameters(), weight_decay=family.recipe.weight_decay)
        below = torch.optim.AdamW(parameter_groups(detector, schedule))
        self.fusion = InTraining(fusion, AveragedModel(fusion), above)
        self.detector = InTraining(detector, AveragedModel(detector, use_buffers=True), below)
        if recipe.strategy == "sequential":
            self.strategy: Strategy = Sequential(above, below, max_norm=recipe.max_norm)
        else:
            self.strategy = strategy_of(recipe.strategy, above, below, max_norm=recipe.max_norm, **recipe.settings())
        self.upper = FusionDetection(self._fuse, detector, recipe.weight)
        self.lower = FusionDetection(self._look, detector)
        self.terms: dict[str, Tensor] = {}

    @property
    def parts(self) -> dict[str, InTraining]:
        """Both networks by name."""
        return {"fusion": self.fusion, "detector": self.detector}

    def step(self, batch: dict[str, dict[str, Any]], number: int) -> StepResult:
        """Move both networks once, and their averages after them."""
        share = learning_rate(self.schedule, number) / self.schedule.learning_rate
        for trained, peak in ((self.fusion, self.recipe.fusion_rate), (self.detector, self.recipe.detector_rate)):
            set_rate(trained, peak * share)
        self.detector.network.train()
        above, below = batch["upper"], batch["lower"]
        result = self.strategy.step(
            self.upper.upper(above, above["targets"]), self.lower.lower(below, below["targets"])
        )
        for trained in self.parts.values():
            follow(trained, self.recipe, number)
        return result

    def figures(self, result: StepResult) -> dict[str, float]:
        """What a step found, for curves: both losses, the terms of the upper, the response and the codebook's state."""
        found = {"lower": result.lower, **self.terms}
        if not isinstance(self.strategy, Sequential):
            found["upper"] = result.upper
        losses = {f"loss/{name}": float(value) for name, value in found.items()}
        return {**losses, "response": result.response, **self.family.figures(self.fusion.network)}

    @torch.no_grad()
    def validate(self, samples: BilevelSamples) -> dict[str, float]:
        """What the averaged detector finds in the held-out windows as the averaged fusion network shows them."""
        fusion, detector = (trained.average.module for trained in self.parts.values())
        assert isinstance(fusion, nn.Module)
        assert isinstance(detector, nn.Module)
        fusion.eval()
        device = next(fusion.parameters()).device

        def look(window: int) -> Tensor:
            one = gather([samples.whole(window)])
            heard = self.family.hear(one["prompt"], device)
            return fusion(one["infrared"].to(device), one["visible"].to(device), *heard)[0].clamp(0, 1)

        return validate_detector(detector, samples.store, look)

    def _fuse(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Pictures and fusion loss; the codes follow."""
        network = self.fusion.network.train()
        pictures, terms = self.family.fused(network, self.fusion.average, batch, 0)
        self.terms = {name: term.detach() for name, term in terms.items()}
        return pictures, torch.stack(list(terms.values())).sum()

    def _look(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Pictures alone; the codes rest."""
        network = self.fusion.network.eval()
        heard = self.family.hear(batch["prompt"], batch["visible"].device)
        pictures = network(batch["infrared"], batch["visible"], *heard)
        return pictures, pictures.new_zeros(())


def set_rate(trained: InTraining, rate: float) -> None:
    """Set the learning rate of all that an optimiser moves."""
    for group in trained.optimiser.param_groups:
        group["lr"] = rate


def follow(trained: InTraining, recipe: BilevelRecipe, number: int) -> None:
    """Move the average of a network after it; its memory is short at first, so that the start is soon forgotten."""
    assert isinstance(trained.average, AveragedModel)
    trained.average.multi_avg_fn = get_ema_multi_avg_fn(min(recipe.average_decay, (1 + number) / (10 + number)))
    trained.average.update_parameters(trained.network)


def train_bilevel(
    recipe: BilevelRecipe,
    annotations: AnnotationList,
    data: Path,
    out: Path,
    *,
    fusion: Path,
    detector: Path | None = None,
    text_encoder: TextEncoder | None = None,
    accelerator: str = "auto",
    workers: int = 0,
    stop_after: int | None = None,
    cache: Path | None = None,
) -> BilevelResult:
    """Train a fusion network and a detector together, or go on where an interrupted run in ``out`` stopped.

    Args:
        recipe: how.
        annotations: pairs with boxes and prompts.
        data: folder of the data sets.
        out: folder for the checkpoints and the TensorBoard curves.
        fusion: checkpoint of a From Text to Pixels, whose averaged weights are the start.
        detector: the same of a detector; one of the shipped recipe starts from scratch where not given.
        text_encoder: the frozen encoder that the fusion network hears, where it is another than ``embedded``.
        accelerator: as in Lightning Fabric: ``auto``, ``cpu``, ``cuda``, ``mps``.
        workers: loader processes.
        stop_after: stop after this many steps in all (the schedule stays that of the recipe).
        cache: folder of the window store; ``out/windows`` where not given.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
        InputError: a picture or a checkpoint cannot be used, a class has no object to train on, or words are missing.
        ModelError: a checkpoint holds another kind of network, or ``out`` a run of another recipe.
        UsageError: the crop does not suit the detector's windows.
    """
    require()
    keep_digits()
    torch.manual_seed(recipe.seed)
    above, below = fusion_source(fusion), detector_source(detector)
    family = TextToPixelsFamily(above.recipe, text_encoder)
    schedule = schedule_of(recipe, below.recipe)
    store = open_windows(schedule, annotations, data, cache or out / "windows")
    samples = BilevelSamples(schedule, store, recipe.prompts)
    fabric = Fabric(accelerator=accelerator, devices=1, loggers=TensorBoardLogger(out, name="curves", version=""))
    for source in (above, below):
        fabric.to_device(source.network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    levels = TwoLevels(recipe, family, above.network, below.network, schedule)
    out.mkdir(parents=True, exist_ok=True)
    start = 0
    if (out / CHECKPOINT).is_file():
        start, memory = load_together(out / CHECKPOINT, levels.parts, recipe)
        levels.strategy.restore(memory)
    stop = min(stop_after or recipe.steps, recipe.steps)
    _run(fabric, levels, samples, out, start, stop, workers)
    facts = {"steps": stop, "recipe": recipe.model_dump(mode="json")}
    for path, source, trained in ((FUSION, above, levels.fusion), (DETECTOR, below, levels.detector)):
        save_checkpoint(out / path, *trained, source.steps, source.recipe, together=facts)
    values = levels.validate(samples)
    fabric.log_dict({f"validation/{name}": value for name, value in values.items()}, stop)
    return BilevelResult(out / CHECKPOINT, out / FUSION, out / DETECTOR, stop, values)


def fusion_source(checkpoint: Path) -> Source:
    """The averaged From Text to Pixels of a checkpoint.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: it holds another network.
    """
    recipe, steps = fusion_recipe(checkpoint)
    network = TextToPixelsFamily(recipe).network()
    load_weights(checkpoint, network)
    return Source(network, recipe, steps)


def fusion_recipe(checkpoint: Path) -> tuple[Recipe, int]:
    """The recipe of a From Text to Pixels and the steps made; raises as :func:`fusion_source` does."""
    fields, steps, _ = stored(checkpoint)
    if fields.get("network") != "text-to-pixels":
        raise ModelError(
            f"{checkpoint} holds the network '{fields.get('network')}': fusion and detection are trained together from "
            "a text-to-pixels, which `lexifuse train text-to-pixels` makes"
        )
    return Recipe.model_validate(fields), steps


def detector_source(checkpoint: Path | None) -> Source:
    """The averaged detector of a checkpoint, or an untrained one of the recipe that ships."""
    if checkpoint is None:
        recipe = load_detector_recipe("detector")
        return Source(network_of(recipe), recipe, 0)
    return Source(*load_detector_checkpoint(checkpoint))


def schedule_of(recipe: BilevelRecipe, detector: DetectorRecipe) -> DetectorRecipe:
    """The detector's recipe with the sizes and rates of this training; its windows and augmentations stay its own."""
    changes = {
        "pictures": "visible",  # the store keeps both sources anyway, and needs no other fusion
        "crop": recipe.crop,
        "batch": recipe.batch,
        "steps": recipe.steps,
        "learning_rate": recipe.detector_rate,
        "warm_up": recipe.warm_up,
        "seed": recipe.seed,
    }
    return checked_recipe(DetectorRecipe, {**detector.model_dump(), **changes}, "bilevel")


def _run(
    fabric: Fabric, levels: TwoLevels, samples: BilevelSamples, out: Path, start: int, stop: int, workers: int
) -> None:
    """All steps from ``start`` to ``stop``, with curves and checkpoints."""
    numbers = StepSampler(2 * levels.recipe.batch, start, stop)
    loader: Any = DataLoader(samples, batch_sampler=numbers, num_workers=workers, collate_fn=both_levels)
    loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    with training_progress() as progress:
        told = ""
        task = progress.add_task(levels.recipe.strategy, total=stop, completed=start, loss=told)
        for step, batch in enumerate(loader, start=start):
            result = levels.step(batch, step)
            if step % _LOG_EVERY == 0:
                figures = levels.figures(result)
                fabric.log_dict(figures, step)
                told = ", ".join(f"{name[5:]} {figures[name]:.3f}" for name in _SHOWN if name in figures)
            done = step + 1
            progress.update(task, completed=done, loss=told)
            if done % _SAVE_EVERY == 0 or done == stop:
                save_together(out / CHECKPOINT, levels.parts, levels.strategy.state(), done, levels.recipe)
                if not progress.console.is_terminal:
                    progress.console.print(f"step {done} of {stop}", highlight=False)
