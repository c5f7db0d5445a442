"""The main path: a pair and an instruction in, one picture out."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.automatic import AUTOMATIC, PixelReading, override, read_pixels, spoken_of
from lexifuse.errors import ModelError, UsageError
from lexifuse.instruction import HIGHLIGHT_GROUPS, Instruction
from lexifuse.language import Reading, read_prompt
from lexifuse.models import DEFAULT_MODEL, Model, find_model
from lexifuse.pair import ImagePair, Source, read_pair, write_image
from lexifuse.runtime import Network
from lexifuse.statistics import STATISTICS, picture_statistics

Request = Instruction | Reading | str | None
"""What a caller may ask with: an instruction, words (read already or not), ``"auto"`` (ask the pixels), or nothing."""


@dataclass(frozen=True, eq=False)
class FusionResult:
    """A fused picture and how it came about.

    Attributes:
        image: (H, W, 3) RGB or (H, W), in the size, bit depth and colour of the visible picture.
        instruction: what was carried out.
        seconds: spent on the fusion itself, reading and writing left out.
        alpha: (H, W) opacity of the visible picture, or None; :meth:`save` puts it back.
        reading: how the words were understood, where there were words.
        seen: what the pixels were taken for, where they were asked.
        notes: what the user should know, each one phrase.
    """

    image: NDArray[Any]
    instruction: Instruction
    seconds: float
    alpha: NDArray[Any] | None = None
    reading: Reading | None = None
    seen: PixelReading | None = None
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, with its alpha, in the format the suffix names (see :func:`lexifuse.write_image`)."""
        write_image(path, self.image, alpha=self.alpha)


class Fuser:
    """A loaded model, ready to fuse: made once, used many times.

    Args:
        model: from :func:`lexifuse.models.find_model`.
        threads: CPU threads; all cores where 0.
        provider: ``cpu``, ``cuda``, ``tensorrt``, ``coreml`` or ``openvino``.

    Raises:
        ModelError: the model is damaged, needs something that is not here, or the provider is not installed.
    """

    def __init__(self, model: Model, *, threads: int = 0, provider: str = "cpu") -> None:
        if model.card.task != "fusion":
            raise ModelError(f"model '{model.name}' is made for {model.card.task}, not for fusion: try --model compact")
        if model.card.conditioning != "instruction":
            raise ModelError(
                f"model '{model.name}' is conditioned by {model.card.conditioning}, which this version cannot make: "
                "use a model whose card says 'conditioning: instruction'"
            )
        self.model = model
        self._network = Network(model, threads=threads, provider=provider)

    def fuse(
        self,
        infrared: Source,
        visible: Source,
        instruction: Request = None,
        *,
        resize: bool = False,
        automatic: bool = False,
    ) -> FusionResult:
        """Fuse two pictures of one scene.

        Args:
            infrared: a path, a Pillow image or an array (H, W); uint8, uint16 or float32 in 0..1.
            visible: a path, a Pillow image or an array (H, W, 3) or (H, W), likewise, of the same size.
            instruction: words, an :class:`Instruction`, ``"auto"``, or None for a plain, faithful fusion.
            resize: bring an infrared picture of another size to the visible grid.
            automatic: let the pixels say what is damaged wherever the words say nothing; ``"auto"`` is this
                without words.

        Raises:
            InputError: a picture cannot be used, or the sizes differ.
            UsageError: the instruction is of another type.
        """
        return self.fuse_pair(read_pair(infrared, visible, resize=resize), instruction, automatic=automatic)

    def fuse_pair(self, pair: ImagePair, instruction: Request = None, *, automatic: bool = False) -> FusionResult:
        """Fuse a pair that was read before; see :meth:`fuse`."""
        if instruction == AUTOMATIC:
            instruction, automatic = None, True
        reading = read_prompt(instruction) if isinstance(instruction, str) else instruction
        reading = reading if isinstance(reading, Reading) else None
        asked = reading.instruction if reading is not None else instruction
        asked = Instruction() if asked is None else asked
        if not isinstance(asked, Instruction):
            raise UsageError(f"an instruction is words, an Instruction or nothing, not {type(asked).__name__}")
        seen = read_pixels(pair) if automatic else None
        if seen is not None:
            asked = override(seen.instruction, asked, spoken_of(reading) if reading else asked.asked_for())
        started = time.perf_counter()
        image = self._network.run(pair.infrared, pair.visible, self.conditioning(pair, asked))
        seconds = time.perf_counter() - started
        notes = [*pair.notes, *self._cannot(asked)]
        if reading is not None and reading.prompt.strip() and asked.is_plain:
            notes.append("the words changed nothing: they ask for no change, so this is the plain fusion")
        return FusionResult(image, asked, seconds, pair.alpha, reading, seen, tuple(notes))

    def conditioning(self, pair: ImagePair, instruction: Instruction) -> NDArray[np.float32]:
        """The vector that the network receives, (C,): the card's fields, of the instruction and of the pictures."""
        fields = self.model.card.conditioning_fields
        seen: dict[str, float] = {}
        if any(field.startswith("statistics.") for field in fields):
            values = picture_statistics(pair.infrared, pair.visible).tolist()
            seen = {f"statistics.{name}": value for name, value in zip(STATISTICS, values, strict=True)}
        return np.array([seen[f] if f in seen else instruction.value(f) for f in fields], np.float32)

    def _cannot(self, instruction: Instruction) -> list[str]:
        """What was asked for and the model's conditioning has no field for."""
        fields = set(self.model.card.conditioning_fields)
        missing = [name for name in instruction.asked_for() if name not in fields]
        missing += [
            f"bring out {name}"
            for group, names in HIGHLIGHT_GROUPS.items()
            for name in instruction.highlight
            if name in names and f"highlight.{group}" not in fields
        ]
        return [f"model '{self.model.name}' cannot do this and left it out: {name}" for name in missing]


def load(name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 0, provider: str = "cpu") -> Fuser:
    """Load a model, ready to fuse.

    Args:
        name_or_path: a name that ``lexifuse models`` lists, or the folder of an exported model.
        threads: CPU threads; all cores where 0.
        provider: ``cpu``, ``cuda``, ``tensorrt``, ``coreml`` or ``openvino``, as far as ONNX Runtime has it.
    """
    return Fuser(find_model(name_or_path), threads=threads, provider=provider)


def fuse(
    infrared: Source, visible: Source, instruction: Request = None, *, resize: bool = False, model: str = DEFAULT_MODEL
) -> FusionResult:
    """Fuse two pictures in one call; the model stays loaded for the next one. See :meth:`Fuser.fuse`."""
    return _loaded(model).fuse(infrared, visible, instruction, resize=resize)


@lru_cache(maxsize=2)
def _loaded(model: str) -> Fuser:
    return load(model)
