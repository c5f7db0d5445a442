"""The work itself, as it runs in a worker thread: uploads in, pictures and readings out."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from lexifuse.automatic import is_automatic, read_pixels
from lexifuse.boxes import Detection
from lexifuse.detect import Detector, detectors, load_detector
from lexifuse.fuser import Fuser, FusionResult, load
from lexifuse.images import longest_side
from lexifuse.language import read_prompt
from lexifuse.models import Model, find_model, shipped_models
from lexifuse.service.problems import ProblemError
from lexifuse.service.settings import ServiceSettings
from lexifuse.service.uploads import read_uploads

if TYPE_CHECKING:
    from lexifuse.pair import ImagePair

PictureFormat = Literal["png", "jpeg", "webp", "tiff"]
"""Formats of the answer's picture."""

PICTURE_FORMATS: Mapping[PictureFormat, tuple[str, str]] = {
    "png": (".png", "image/png"),
    "jpeg": (".jpg", "image/jpeg"),
    "webp": (".webp", "image/webp"),
    "tiff": (".tif", "image/tiff"),
}
"""Their suffixes and media types."""


@dataclass(frozen=True)
class Pictures:
    """The two uploads of a request.

    Attributes:
        infrared: an open file.
        visible: an open file.
        resize: bring an infrared picture of another size to the visible grid.
        infrared_range: the values of the infrared picture that become black and white; None leaves it to the picture.
    """

    infrared: BinaryIO
    visible: BinaryIO
    resize: bool = False
    infrared_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class FusionRequest:
    """What is asked of one fusion.

    Attributes:
        pictures: the two uploads.
        prompt: words, or ``auto``.
        values: fields that override what the words said, as ``--set`` does.
        model: a name; the service's own model where empty.
        picture_format: of the answer.
    """

    pictures: Pictures
    prompt: str
    values: Mapping[str, Any]
    model: str
    picture_format: PictureFormat


@dataclass(frozen=True)
class Fused:
    """A fusion, encoded.

    Attributes:
        content: the picture file.
        media_type: of the file.
        result: the fusion itself.
        model: that made it.
        milliseconds: spent on each stage.
    """

    content: bytes
    media_type: str
    result: FusionResult
    model: Model
    milliseconds: Mapping[str, float]


@dataclass(frozen=True)
class Found:
    """What was found in a fused pair.

    Attributes:
        detections: by descending score.
        threshold: the least score.
        detector: that found them.
        fused: the fusion they were found in, its file left empty.
    """

    detections: list[Detection]
    threshold: float
    detector: Model
    fused: Fused


class Engine:
    """Loaded models and what is done with them. All methods may be called from several threads."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._fusers: dict[str, Fuser] = {}
        self._detector: Detector | None = None
        self._loading = threading.Lock()

    @property
    def ready(self) -> bool:
        """True once the service's own model is loaded."""
        return bool(self._fusers)

    def load(self) -> None:
        """Load what the first request would otherwise wait for.

        Raises:
            ModelError: the service's own model is missing or damaged.
        """
        read_prompt("dark")
        self.fuser("")
        if self.has_detector:
            self.detector()

    def models(self) -> list[Model]:
        """The fusion models that may be asked for, the service's own first."""
        return list(self._models)

    @cached_property
    def _models(self) -> tuple[Model, ...]:
        own = find_model(self._settings.model)
        others = (model for model in shipped_models() if model.card.task == "fusion" and model.name != own.name)
        return (own, *others)

    def fuser(self, name: str) -> Fuser:
        """A model by name, loaded once. A client cannot name files of this machine.

        Raises:
            ProblemError: there is no such model.
        """
        models = {model.name: model for model in self.models()}
        model = models.get(name) if name else next(iter(models.values()))
        if model is None:
            raise ProblemError("invalid", f"there is no model '{name}': choose from {', '.join(models)}")
        with self._loading:
            if model.name not in self._fusers:
                settings = self._settings
                self._fusers[model.name] = load(model.folder, threads=settings.threads, provider=settings.provider)
            return self._fusers[model.name]

    @cached_property
    def has_detector(self) -> bool:
        """Whether the service was given a detector, or one comes with this version."""
        return bool(self._settings.detector or detectors())

    def detector(self) -> Detector:
        """The service's detector, loaded once.

        Raises:
            ProblemError: there is none.
            ModelError: it is damaged.
        """
        if not self.has_detector:
            raise ProblemError(
                "not-available", "no detector comes with this version of lexifuse: start with --detector FOLDER"
            )
        with self._loading:
            if self._detector is None:
                settings = self._settings
                self._detector = load_detector(settings.detector, threads=settings.threads, provider=settings.provider)
            return self._detector

    def detect(self, request: FusionRequest, threshold: float | None) -> Found:
        """Fuse an uploaded pair and find people and vehicles in it; raises as :meth:`fuse` and :meth:`detector` do.

        Args:
            request: what is asked of the fusion.
            threshold: least score; the detector's own where None.
        """
        detector, fuser = self.detector(), self.fuser(request.model)
        clock = _Clock()
        with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
            pair = self._read(request.pictures, Path(folder))
            clock.lap("decode")
            result = _fused(fuser, pair, request, clock)
            found = detector.detect(result.image, threshold)
            clock.lap("detect")
        fused = Fused(b"", "", result, fuser.model, clock.milliseconds)
        return Found(found, detector.threshold if threshold is None else threshold, detector.model, fused)

    def fuse(self, request: FusionRequest) -> Fused:
        """Fuse an uploaded pair.

        Raises:
            ProblemError: a picture is too large (for the answer's format, too) or in an unknown format, or there is
                no such model.
            LexifuseError: a picture or a field cannot be used.
        """
        fuser = self.fuser(request.model)
        clock = _Clock()
        with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
            pair = self._read(request.pictures, Path(folder))
            _check_size(pair, request.picture_format)
            clock.lap("decode")
            result = _fused(fuser, pair, request, clock)
            suffix, media_type = PICTURE_FORMATS[request.picture_format]
            path = Path(folder) / f"fused{suffix}"
            result.save(path)
            content = path.read_bytes()
            clock.lap("encode")
        return Fused(content, media_type, result, fuser.model, clock.milliseconds)

    def inspect(self, pictures: Pictures) -> dict[str, Any]:
        """What the pixels of an uploaded pair look like; raises as :meth:`fuse` does."""
        with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
            return read_pixels(self._read(pictures, Path(folder))).to_dict()

    def _read(self, pictures: Pictures, folder: Path) -> ImagePair:
        return read_uploads(
            pictures.infrared,
            pictures.visible,
            folder,
            max_pixels=self._settings.max_pixels,
            resize=pictures.resize,
            infrared_range=pictures.infrared_range,
        )


class _Clock:
    """Milliseconds per stage."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.milliseconds[stage] = 1000 * (now - self._last)
        self._last = now


def _check_size(pair: ImagePair, picture_format: PictureFormat) -> None:
    """Refuse what the answer's format cannot hold before it is fused."""
    longest = longest_side(PICTURE_FORMATS[picture_format][0])
    if max(pair.width, pair.height) > longest:
        raise ProblemError(
            "invalid",
            f"{picture_format} holds pictures of up to {longest:,} pixels a side, "
            f"and this one has {pair.width}x{pair.height}: ask for png",
        )


def _fused(fuser: Fuser, pair: ImagePair, request: FusionRequest, clock: _Clock) -> FusionResult:
    """The fusion, as its words or the pixels ask; the values have the last word."""
    automatic = is_automatic(request.prompt)
    asked = read_prompt("" if automatic else request.prompt).with_settings(request.values)
    clock.lap("understand")
    result = fuser.fuse_pair(pair, asked, automatic=automatic)
    clock.lap("fuse")
    return result
