"""The main path: a pair and an instruction in, one picture out."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.automatic import PixelReading, is_automatic, override, read_pixels, spoken_of
from lexifuse.colour import recolour
from lexifuse.conditioning import conditioner_of
from lexifuse.detect import Detector, detectors, load_detector
from lexifuse.errors import ModelError, UsageError
from lexifuse.evidence import Weighed, weigh
from lexifuse.highlight import bring_out
from lexifuse.instruction import DEGRADATIONS, HIGHLIGHT_GROUPS, Instruction
from lexifuse.language import Reading, read_prompt
from lexifuse.language.encoder import TextEncoder
from lexifuse.models import DEFAULT_MODEL, Model, find_model
from lexifuse.pair import ImagePair, Source, read_pair, write_image
from lexifuse.runtime import Encoded, Network

Request = Instruction | Reading | str | None
"""What a caller may ask with: an instruction, words (read already or not), ``"auto"`` (ask the pixels), or nothing."""

_MOST_VEHICLES = 24
_DOUBTFUL = 0.15
"""Least score of a person who is brought out although all around is a vehicle."""


@dataclass(frozen=True, eq=False)
class FusionResult:
    """A fused picture and how it came about.

    Attributes:
        image: (H, W, 3) RGB or (H, W), in the size, bit depth and colour of the visible picture.
        instruction: what was asked for, by words, by hand or by the pixels.
        seconds: spent on the fusion itself, reading and writing left out.
        alpha: (H, W) opacity of the visible picture, or None; :meth:`save` puts it back.
        reading: how the words were understood, where there were words.
        seen: what the pixels were taken for, where they were asked.
        notes: what the user should know, each one phrase.
        carried_out: the instruction once the pixels had their say in how much (:mod:`lexifuse.evidence`).
    """

    image: NDArray[Any]
    instruction: Instruction
    seconds: float
    alpha: NDArray[Any] | None = None
    reading: Reading | None = None
    seen: PixelReading | None = None
    notes: tuple[str, ...] = ()
    carried_out: Instruction = field(default_factory=Instruction)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, with its alpha, in the format the suffix names (see :func:`lexifuse.write_image`).

        Raises:
            OutputError: it cannot be written there.
        """
        write_image(path, self.image, alpha=self.alpha)


class Fuser:
    """A loaded model, ready to fuse: made once, used many times.

    Args:
        model: from :func:`lexifuse.models.find_model`.
        threads: CPU threads; all cores where 0.
        provider: ``cpu``, ``cuda``, ``tensorrt``, ``coreml`` or ``openvino``.
        text_encoder: a sentence to its features (T, D), for a model that hears text through another encoder than the
            embedded one.

    Attributes:
        model: as given.
        conditioner: puts requests into what the network hears.
        network: the network itself, for pictures of any size.

    Raises:
        ModelError: the model is damaged, needs something that is not here, or the provider is not installed.
    """

    def __init__(
        self, model: Model, *, threads: int = 0, provider: str = "cpu", text_encoder: TextEncoder | None = None
    ) -> None:
        if model.card.task != "fusion":
            raise ModelError(f"model '{model.name}' is made for {model.card.task}, not for fusion: try --model compact")
        self.model = model
        self.conditioner = conditioner_of(model, text_encoder)
        self.network = Network(model, threads=threads, provider=provider)
        self._threads, self._provider = threads, provider

    @cached_property
    def detector(self) -> Detector | None:
        """What finds the vehicles that are to stand out; None where no detector comes with this version."""
        return load_detector(threads=self._threads, provider=self._provider) if detectors() else None

    def fuse(
        self,
        infrared: Source,
        visible: Source,
        instruction: Request = None,
        *,
        resize: bool = False,
        infrared_range: tuple[float, float] | None = None,
        automatic: bool = False,
        insist: bool = False,
    ) -> FusionResult:
        """Fuse two pictures of one scene.

        Args:
            infrared: a path, a Pillow image or an array (H, W); uint8, uint16 or float32 in 0..1.
            visible: a path, a Pillow image or an array (H, W, 3) or (H, W), likewise, of the same size.
            instruction: words, an :class:`Instruction` (its severities above 0 stand, whatever the pixels say),
                ``"auto"``, or None for a plain, faithful fusion.
            resize: bring an infrared picture of another size to the visible grid.
            infrared_range: the values of the infrared picture that become black and white; see
                :func:`lexifuse.read_pair`.
            automatic: let the pixels say what is damaged wherever the words say nothing; ``"auto"`` is this
                without words.
            insist: carry the words out as they were read, a plain mention as 0.6, whatever the pixels say
                (:mod:`lexifuse.evidence`).

        Raises:
            InputError: a picture cannot be used, or the sizes differ.
            UsageError: the instruction is of another type, or the range is not two numbers, the lower first.
        """
        session = self.session(infrared, visible, resize=resize, infrared_range=infrared_range)
        return session.fuse(instruction, automatic=automatic, insist=insist)

    def fuse_pair(
        self, pair: ImagePair, instruction: Request = None, *, automatic: bool = False, insist: bool = False
    ) -> FusionResult:
        """Fuse a pair from :func:`lexifuse.read_pair`; see :meth:`fuse`."""
        return Session(self, pair).fuse(instruction, automatic=automatic, insist=insist)

    def session(
        self,
        infrared: Source,
        visible: Source,
        *,
        resize: bool = False,
        infrared_range: tuple[float, float] | None = None,
    ) -> Session:
        """Open a pair, to be fused under one request after the other; arguments as of :meth:`fuse`."""
        return Session(self, read_pair(infrared, visible, resize=resize, infrared_range=infrared_range))

    def finish(self, image: NDArray[Any], visible: NDArray[Any], done: Instruction) -> NDArray[Any]:
        """What is still to be done to a picture that the network made of a visible one; see :mod:`lexifuse.colour`.

        Args:
            image: (H, W, 3) RGB or (H, W), from the network.
            visible: of the same size.
            done: what was carried out.
        """
        return recolour(image, visible, done) if self.conditioner.hears_severities else image

    def conditioning(self, pair: ImagePair, instruction: Instruction) -> NDArray[np.float32]:
        """What the network receives for an instruction, (C,) or (T, D), as the model's card says."""
        return self.conditioner.tell(pair, instruction).conditioning


class Session:
    """A pair that is fused under changing words: only what depends on the words is done again.

    What the network makes of the pictures alone and what the pixels are taken for are worked out when they are first
    needed, and kept. A network that does not work in two halves, and a picture too large to run in one piece, are
    fused anew each time; the result is the same.

    Args:
        fuser: a loaded model.
        pair: from :func:`lexifuse.read_pair`.

    Raises:
        UsageError: the pair is no :class:`lexifuse.ImagePair`.

    >>> session = fuser.session("ir.png", "visible.png")  # doctest: +SKIP
    >>> session.fuse("the visible image is dark").save("brighter.png")  # doctest: +SKIP
    >>> session.fuse("the infrared image is noisy").save("cleaner.png")  # doctest: +SKIP
    """

    def __init__(self, fuser: Fuser, pair: ImagePair) -> None:
        if not isinstance(pair, ImagePair):
            raise UsageError(f"a pair is what lexifuse.read_pair gives, not a {type(pair).__name__}")
        self.fuser, self.pair = fuser, pair

    def fuse(self, instruction: Request = None, *, automatic: bool = False, insist: bool = False) -> FusionResult:
        """Fuse the pair as asked; see :meth:`Fuser.fuse`."""
        if is_automatic(instruction):
            instruction, automatic = None, True
        reading = read_prompt(instruction) if isinstance(instruction, str) else instruction
        reading = reading if isinstance(reading, Reading) else None
        asked = reading.instruction if reading is not None else instruction
        asked = Instruction() if asked is None else asked
        if not isinstance(asked, Instruction):
            raise UsageError(f"an instruction is words, an Instruction or nothing, not {type(asked).__name__}")
        # An instruction is numbers, set by hand; words are what the pixels are asked about.
        numbers = tuple(name for name in DEGRADATIONS if asked.severity(name) > 0)
        by_hand = numbers if reading is None else reading.by_hand
        seen = self._seen if automatic else None
        if seen is not None:
            asked = override(seen.instruction, asked, numbers if reading is None else spoken_of(reading))
        prompt = reading.prompt if reading is not None else ""
        started = time.perf_counter()
        weighed = self.weighed(asked, by_hand, insist=insist)
        told = self.fuser.conditioner.tell(self.pair, weighed.instruction, prompt)
        image = self._run(told.conditioning, weighed.instruction)
        image, about_objects = self._brought_out(image, asked.highlight) if asked.highlight else (image, ())
        seconds = time.perf_counter() - started
        notes = [*self.pair.notes, *weighed.notes, *told.notes, *about_objects]
        if prompt.strip() and asked.is_plain:
            notes.append("the words changed nothing: they ask for no change, so this is the plain fusion")
        return FusionResult(image, asked, seconds, self.pair.alpha, reading, seen, tuple(notes), weighed.instruction)

    def weighed(self, asked: Instruction, by_hand: Collection[str] = (), *, insist: bool = False) -> Weighed:
        """What is done of a request once the pixels had their say.

        Args:
            asked: what is asked for.
            by_hand: degradations whose severity was set by hand, which stand.
            insist: let all of them stand.
        """
        if insist or not asked.asked_for():
            return Weighed(asked)
        amounts = self.fuser.conditioner.hears_severities
        return weigh(asked, by_hand, self._seen, self.pair.visible, amounts=amounts)

    def _brought_out(self, image: NDArray[Any], highlight: Collection[str]) -> tuple[NDArray[Any], tuple[str, ...]]:
        """The picture with what is named standing out, and notes about it."""
        looked_for = HIGHLIGHT_GROUPS["vehicle"] | HIGHLIGHT_GROUPS["person"]
        detector = self.fuser.detector if looked_for & set(highlight) else None
        if detector is None:
            return bring_out(self.pair, image, highlight)
        found = detector.detect(image, min(_DOUBTFUL, detector.threshold))
        vehicles = [one.box for one in found if one.label == "vehicle" and one.score >= detector.threshold]
        people = [one.box for one in found if one.label == "person"]
        return bring_out(self.pair, image, highlight, vehicles[:_MOST_VEHICLES], people)

    def _run(self, conditioning: NDArray[np.float32], done: Instruction) -> NDArray[Any]:
        network = self.fuser.network
        if network.runs_whole(self.pair.visible):
            image = network.decode(self._encoded, conditioning)
        else:
            image = network.run(self.pair.infrared, self.pair.visible, conditioning)
        return self.fuser.finish(image, self.pair.visible, done)

    @cached_property
    def _encoded(self) -> Encoded:
        return self.fuser.network.encode(self.pair.infrared, self.pair.visible)

    @cached_property
    def _seen(self) -> PixelReading:
        return read_pixels(self.pair)


def load(
    name_or_path: str | Path = DEFAULT_MODEL,
    *,
    threads: int = 0,
    provider: str = "cpu",
    text_encoder: TextEncoder | None = None,
) -> Fuser:
    """Load a model, ready to fuse.

    Args:
        name_or_path: a name that ``lexifuse models`` lists, or the folder of an exported model.
        threads: CPU threads; all cores where 0.
        provider: ``cpu``, ``cuda``, ``tensorrt``, ``coreml`` or ``openvino``, as far as ONNX Runtime has it.
        text_encoder: only for a model whose card names a text encoder that does not ship; see :class:`Fuser`.

    Raises:
        UsageError: the name is no text or path, or the threads are no whole number from 0.
        ModelError: there is no such model, it is damaged, or the provider is not installed.
    """
    if not isinstance(threads, int) or threads < 0:
        raise UsageError(f"threads must be a whole number from 0 (all cores), not {threads!r}")
    return Fuser(find_model(_named(name_or_path)), threads=threads, provider=provider, text_encoder=text_encoder)


def fuse(
    infrared: Source,
    visible: Source,
    instruction: Request = None,
    *,
    resize: bool = False,
    infrared_range: tuple[float, float] | None = None,
    model: str | Path = DEFAULT_MODEL,
) -> FusionResult:
    """Fuse two pictures in one call; the model stays loaded for the next one. See :meth:`Fuser.fuse`."""
    fuser = _loaded(_named(model))
    return fuser.fuse(infrared, visible, instruction, resize=resize, infrared_range=infrared_range)


@lru_cache(maxsize=2)
def _loaded(model: str | Path) -> Fuser:
    return load(model)


def _named(model: object) -> str | Path:
    if not isinstance(model, (str, Path)):
        raise UsageError(f"a model is a name or a folder, not {type(model).__name__}")
    return model
