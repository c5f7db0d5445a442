"""Ablations of networks that hear text: one part less at a time, each trained by the same small schedule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from lexifuse.errors import UsageError
from lexifuse.files import atomic_file
from lexifuse.instruction import DEGRADATIONS
from lexifuse.metrics import NINE
from lexifuse.training.checkpoint import load_average
from lexifuse.training.crops import open_crops
from lexifuse.training.families import TextFamily, family_of
from lexifuse.training.prompt_book import PromptBook
from lexifuse.training.recipe import Recipe, TextConditioning, TextIFShape, TextToPixelsShape
from lexifuse.training.text_encoders import TextEncoder
from lexifuse.training.trainer import train
from lexifuse.training.validation import plain_metrics, validate

MARKDOWN, JSON = "ablation.md", "ablation.json"
_RESULT = "result.json"
_TITLES = {"text-if": "Text-IF", "text-to-pixels": "From Text to Pixels"}
_FREE_PROMPTS = 400
_OTHER_SEED = 1_000_003
_WARM_UP = 10  # the warm-up is at most one step in so many


@dataclass(frozen=True)
class Variant:
    """One row: a name for its folder, what it is in words, and the recipe that makes it."""

    name: str
    title: str
    recipe: Recipe


@dataclass(frozen=True)
class Row:
    """A variant, measured on the crops that no variant is trained on.

    Attributes:
        name: of the variant.
        title: what it is.
        parameters: of the network.
        gain: decibels that the right plain words gain over none, mean of the nine degradations at severity 0.7.
        gain_free: the same where the words are sentences of the corpus that were hardly trained on.
        wrong: the same as ``gain`` for words that name another damage: at best about 0.
        gains: ``gain`` per degradation.
        metrics: the nine metrics of the plain fusion.
    """

    name: str
    title: str
    parameters: int
    gain: float
    gain_free: float
    wrong: float
    gains: Mapping[str, float]
    metrics: Mapping[str, float]


def variants(recipe: Recipe, steps: int) -> list[Variant]:
    """The whole network and some that each lack or change one part, under a schedule of so many steps.

    Args:
        recipe: of Text-IF or of From Text to Pixels.
        steps: of training.

    Raises:
        UsageError: the recipe makes another network.
    """
    small = {"steps": steps, "warm_up": min(recipe.warm_up, steps // _WARM_UP)}
    recipe = recipe.model_copy(update=small)
    if recipe.network == "text-if" and recipe.text is not None:
        return _variants_of_text_if(recipe, recipe.text)
    if recipe.network == "text-to-pixels":
        return _variants_of_text_to_pixels(recipe)
    raise UsageError(
        f"ablations are of text-if and of text-to-pixels, and this recipe makes '{recipe.network}': give one of those"
    )


def _variants_of_text_if(recipe: Recipe, text: TextConditioning) -> list[Variant]:
    shape = recipe.text_if or TextIFShape()
    titles = {"tokens": "token features", "sentence": "frozen sentence vector"}
    other = "sentence" if text.features == "tokens" else "tokens"

    def variant(name: str, title: str, text: TextConditioning = text, **changes: Any) -> Variant:
        changed = {"text": text, "text_if": shape.model_copy(update=changes)}
        return Variant(name, title, recipe.model_copy(update=changed))

    levels = ", ".join(map(str, shape.guided))
    return [
        variant("whole", f"whole: {titles[text.features]}, text at levels {levels}, cross-attention"),
        variant("no-text", "without text", guided=()),
        variant("one-level", "text at level 4 only", guided=(4,)),
        variant(other, f"{titles[other]} instead", text.model_copy(update={"features": other})),
        variant("no-cross-attention", "without cross-attention", cross_attention=False),
    ]


def _variants_of_text_to_pixels(recipe: Recipe) -> list[Variant]:
    shape = recipe.text_to_pixels or TextToPixelsShape()

    def variant(name: str, title: str, **changes: Any) -> Variant:
        changed = {"text_to_pixels": shape.model_copy(update=changes)}
        return Variant(name, title, recipe.model_copy(update=changed))

    return [
        variant("whole", "whole: multi-level extractor, text, codebook"),
        variant("no-codebook", "without codebook", codebook=None),
        variant("no-text", "without text", listening="nowhere"),
        variant("dilated", "dilated convolutions instead of the multi-level extractor", extractor="dilated"),
    ]


def ablate(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    steps: int,
    accelerator: str = "auto",
    workers: int = 1,
    text_encoder: TextEncoder | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> list[Row]:
    """Train and measure every variant, or go on where an interrupted call with the same ``out`` stopped.

    Args:
        recipe: of Text-IF or From Text to Pixels; its steps are not used.
        data: folder of the data sets that it names.
        out: folder for ``ablation.md``, ``ablation.json``, the crops and a folder per variant.
        steps: of training, each variant.
        accelerator: as :func:`~lexifuse.training.trainer.train` takes it, as are the next two.
        workers: loader processes.
        text_encoder: where the recipe names one that does not ship.
        tell: called with what is being done.

    Raises:
        UsageError: the recipe makes another network.
        ModelError: ``out`` holds variants of another recipe or schedule.
    """
    rows = []
    for variant in variants(recipe, steps):
        tell(variant.title)
        folder = out / variant.name
        trained = train(
            variant.recipe,
            data,
            folder,
            accelerator=accelerator,
            workers=workers,
            cache=out / "crops",
            text_encoder=text_encoder,
        )
        row = _stored(folder, variant)
        if row is None:
            row = _measure(variant, trained.checkpoint, data, out, text_encoder)
            _write(folder / _RESULT, json.dumps({"recipe": variant.recipe.model_dump(mode="json"), **asdict(row)}))
        rows.append(row)
    facts = schedule(recipe, steps)
    _write(out / JSON, json.dumps({"schedule": facts, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    _write(out / MARKDOWN, to_markdown(rows, facts))
    return rows


def schedule(recipe: Recipe, steps: int) -> dict[str, Any]:
    """What has to be known to judge the table."""
    return {
        "network": recipe.network,
        "steps": steps,
        "steps_of_the_recipe": recipe.steps,
        "batch": recipe.batch,
        "crop": recipe.crop,
        "seed": recipe.seed,
        "held_out_crops": recipe.validation,
        "data": [source.name for source in recipe.sources],
    }


def to_markdown(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """The table, with the schedule above it and the best of each column in bold."""
    columns: dict[str, list[float]] = {
        "gain ↑": [row.gain for row in rows],
        "gain, free words ↑": [row.gain_free for row in rows],
        **{f"{name} ↑": [row.metrics[name] for row in rows] for name in NINE},
    }
    lines = [
        f"### {_TITLES[facts['network']]}: ablations",
        "",
        f"A small schedule: each row was trained for {facts['steps']:,} steps of {facts['batch']} crops of "
        f"{facts['crop']} pixels, once (seed {facts['seed']}), where the recipe itself wants "
        f"{facts['steps_of_the_recipe']:,}; data: {', '.join(facts['data'])}. Measured on {facts['held_out_crops']} "
        "crops held out of training. Gain: dB of PSNR to the network's own plain fusion of the clean crop, with the "
        "right words minus without, mean of nine degradations at severity 0.7; free words are sentences of the corpus "
        "instead of plain ones; wrong words name another damage. The metrics are those of the plain fusion.",
        "",
        "| variant | parameters | wrong words | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for index, row in enumerate(rows):
        cells = [f"{row.parameters / 1e6:.2f} M", f"{row.wrong:+.2f}"]
        for name, values in columns.items():
            text = f"{values[index]:+.2f}" if name.startswith("gain") else f"{values[index]:.3f}"
            cells.append(f"**{text}**" if values[index] == max(values) else text)
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


class _InFreeWords(nn.Module):
    """A network that hears text, asked in sentences of the corpus by the vector of instruction fields."""

    def __init__(self, network: nn.Module, family: TextFamily, book: PromptBook) -> None:
        super().__init__()
        self.network, self.family, self.book = network, family, book
        self._rng = np.random.default_rng(_OTHER_SEED)

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        rows = conditioning[:, : len(DEGRADATIONS)].tolist()
        prompts = [self.book.prompt(dict(zip(DEGRADATIONS, row, strict=True)), self._rng) for row in rows]
        return self.network(infrared, visible, *self.family.hear(prompts, visible.device))


def _measure(variant: Variant, checkpoint: Path, data: Path, out: Path, encoder: TextEncoder | None) -> Row:
    recipe = variant.recipe
    family = family_of(recipe, encoder)
    assert isinstance(family, TextFamily)
    network = family.network().eval()
    load_average(checkpoint, network)
    store = open_crops(recipe, data, out / "crops")
    judged = family.by_instruction(network)
    found = validate(judged, store, recipe)
    free = PromptBook(_FREE_PROMPTS, 0.0, recipe.seed + _OTHER_SEED)
    return Row(
        variant.name,
        variant.title,
        sum(weight.numel() for weight in network.parameters()),
        found["gain"],
        validate(_InFreeWords(network, family, free), store, recipe)["gain"],
        float(np.mean([found[f"wrong {name}"] for name in DEGRADATIONS])),
        {name: found[f"gain {name}"] for name in DEGRADATIONS},
        plain_metrics(judged, store, recipe),
    )


def _stored(folder: Path, variant: Variant) -> Row | None:
    """What an earlier call measured of just this variant."""
    try:
        found = json.loads((folder / _RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    same = found.pop("recipe", None) == variant.recipe.model_dump(mode="json")
    return Row(**found) if same else None


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())
