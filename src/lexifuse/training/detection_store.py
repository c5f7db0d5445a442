"""The window store: small pictures with boxes, cut once from annotated pairs and kept as memory-mapped arrays.

Decoding and fusing are paid for once; a training step only reads. Both spectra are stored beside what the compact model
makes of them where a recipe wants that, so that detectors of all other kinds share one store.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from lexifuse.boxes import CLASSES, IGNORED
from lexifuse.datasets.annotated import AnnotatedPair, AnnotationList
from lexifuse.errors import InputError
from lexifuse.fuser import Fuser, load
from lexifuse.pixels import change_depth
from lexifuse.training.annotate import read_annotated
from lexifuse.training.detection_losses import IGNORE
from lexifuse.training.detection_recipe import DetectorRecipe, Kind

_VERSION = 2
_SEED = 0
_SMALLEST_SCALE = 0.6
_SHARE_LEFT = 0.35
_LEAST_SIDE = 2.0


@dataclass(frozen=True)
class WindowStore:
    """N windows of H x W pixels, uint8, in the order of their pairs.

    Attributes:
        infrared: (N, H, W).
        visible: (N, H, W, 3) RGB.
        fused: (N, H, W, 3), by the compact model without words; as ``visible`` where the store was made without it.
        boxes: (M, 6) float32: number of the window, x0, y0, x1, y1 in pixels, label (-1: to be ignored).
        pairs: (N,), number of the pair in the annotation list.
        held_out: (N,), not to be trained on.
        prompts: N dicts, kind of prompt to words.
    """

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    fused: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    pairs: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    prompts: tuple[dict[str, str], ...]

    def __len__(self) -> int:
        return len(self.infrared)

    def picture(self, number: int, kind: Kind) -> NDArray[np.uint8]:
        """Window (H, W, 3) as a detector of a kind sees it."""
        if kind in ("compact", "visible"):
            return (self.fused if kind == "compact" else self.visible)[number]
        grey = self.infrared[number]
        if kind == "max":
            grey = np.maximum(grey, cv2.cvtColor(np.ascontiguousarray(self.visible[number]), cv2.COLOR_RGB2GRAY))
        return np.repeat(grey[..., None], 3, axis=2)

    def boxes_of(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Boxes (K, 4) and labels (K,) of a window."""
        table = self.table_of(number)
        return table[:, :4], table[:, 4].astype(np.int64)

    def table_of(self, number: int) -> NDArray[np.float32]:
        """Boxes and labels of a window in one table, (K, 5)."""
        first, last = np.searchsorted(self.boxes[:, 0], [number, number + 1])
        return np.asarray(self.boxes[first:last, 1:])


def open_windows(recipe: DetectorRecipe, annotations: AnnotationList, data: Path, cache: Path) -> WindowStore:
    """Open the window store of a recipe and an annotation list, cutting it first where it is not there yet (minutes).

    Args:
        recipe: sizes, and whether fused pictures are wanted.
        annotations: the pairs.
        data: the folder of the data sets.
        cache: where stores are kept.

    Raises:
        InputError: a picture cannot be used, or nothing is left to train on.
    """
    choices = (recipe.window, recipe.windows, recipe.longest, recipe.held_out, recipe.pictures == "compact")
    wanted = repr((_VERSION, _SEED, choices, annotations.pairs))
    folder = cache / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if not folder.is_dir():
        building = folder.with_suffix(".part")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        _build(recipe, annotations, data, building)
        building.replace(folder)
    arrays: dict[str, Any] = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    arrays["fused"] = arrays.get("fused", arrays["visible"])
    return WindowStore(**arrays, prompts=tuple(json.loads((folder / "prompts.json").read_text())))


def _build(recipe: DetectorRecipe, annotations: AnnotationList, data: Path, folder: Path) -> None:
    fuser = load("compact", threads=1) if recipe.pictures == "compact" else None
    windows: list[dict[str, Any]] = []
    boxes: list[NDArray[np.float32]] = []
    seen: dict[str, int] = {}
    for number, pair in enumerate(track(annotations.pairs, description="cutting windows")):
        if set(pair.labelled) != set(CLASSES):
            raise InputError(
                f"{pair.dataset}/{pair.name}: not every class is labelled (only {', '.join(pair.labelled) or 'none'}): "
                "annotate it with a detector for the rest, or what has no box would be learned as background"
            )
        place = seen.get(pair.dataset, 0)
        seen[pair.dataset] = place + 1
        held_out = place % recipe.held_out == recipe.held_out - 1
        for window in _cut(pair, recipe, data, fuser, np.random.default_rng([_SEED, number])):
            found = window.pop("boxes")
            boxes.append(np.insert(found, 0, len(windows), axis=1))
            windows.append({**window, "pairs": np.int32(number), "held_out": np.bool_(held_out)})
    table = np.concatenate(boxes) if boxes else np.zeros((0, 6))
    trained = {index for index, window in enumerate(windows) if not window["held_out"]}
    for label, name in enumerate(CLASSES):
        if not any(int(row[0]) in trained for row in table[table[:, 5] == label]):
            raise InputError(f"no {name} in any pair that is trained on: annotate pairs that show some")
    for name in windows[0]:
        np.save(folder / f"{name}.npy", np.stack([window[name] for window in windows]))
    np.save(folder / "boxes.npy", table.astype(np.float32))
    prompts = [dict(annotations.pairs[int(window["pairs"])].prompts) for window in windows]
    (folder / "prompts.json").write_text(json.dumps(prompts))


def _cut(
    pair: AnnotatedPair, recipe: DetectorRecipe, data: Path, fuser: Fuser | None, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Windows of one pair, and the boxes (K, 5) in each."""
    found = read_annotated(pair, data)
    visible = found.visible if found.visible.ndim == 3 else np.repeat(found.visible[..., None], 3, axis=2)
    pictures = {"infrared": change_depth(found.infrared, np.uint8), "visible": change_depth(visible, np.uint8)}
    scale = min(1.0, recipe.longest / max(pair.width, pair.height))
    pictures = {name: _resized(picture, scale) for name, picture in pictures.items()}
    boxes = np.array([(*box.box, _number(box.label)) for box in pair.boxes], np.float32).reshape(-1, 5)
    boxes[:, :4] *= scale
    height, width = pictures["infrared"].shape
    most = recipe.windows if width * height > 1.5 * recipe.window[0] * recipe.window[1] else 1
    for index in range(most):
        # The first window shows as much as it can.
        factor = _SMALLEST_SCALE if index == 0 else rng.uniform(_SMALLEST_SCALE, 1.0)
        window = _window(pictures, boxes, recipe.window, factor, rng)
        if fuser is not None:
            # Fused as a picture of its own: what is cut away is not paid for.
            window["fused"] = fuser.fuse(window["infrared"], window["visible"]).image
        yield window


def _window(
    pictures: dict[str, NDArray[np.uint8]],
    boxes: NDArray[np.float32],
    size: tuple[int, int],
    factor: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    height, width = pictures["infrared"].shape
    factor = max(factor, size[0] / width, size[1] / height)
    wide, high = min(width, round(size[0] / factor)), min(height, round(size[1] / factor))
    objects = boxes[boxes[:, 4] != IGNORE]
    x, y = rng.uniform(0, 1, 2) * (width - wide, height - high)
    if len(objects):
        x0, y0, x1, y1, _ = objects[rng.integers(len(objects))]
        x = np.clip((x0 + x1) / 2 - rng.uniform(0.2, 0.8) * wide, 0, width - wide)
        y = np.clip((y0 + y1) / 2 - rng.uniform(0.2, 0.8) * high, 0, height - high)
    left, top = int(x), int(y)
    smooth = cv2.INTER_AREA if wide >= size[0] else cv2.INTER_LINEAR
    cut: dict[str, Any] = {
        name: cv2.resize(picture[top : top + high, left : left + wide], size, interpolation=smooth)
        for name, picture in pictures.items()
    }
    moved = boxes.copy()
    moved[:, :4] = (moved[:, :4] - [left, top, left, top]) * np.tile([size[0] / wide, size[1] / high], 2)
    return {**cut, "boxes": clip_boxes(moved, *size)}


def clip_boxes(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Cut boxes (K, 5) off at the edges of a picture.

    What has less than a third of its area left, or less than two pixels to a side, is ignored; what is outside goes.
    """
    cut = boxes.copy()
    cut[:, :4] = np.clip(boxes[:, :4], 0, [width, height, width, height])
    sides = cut[:, 2:4] - cut[:, :2]
    area = (boxes[:, 2:4] - boxes[:, :2]).prod(1)
    small = (sides.prod(1) < _SHARE_LEFT * area) | (sides.min(1, initial=np.inf) < _LEAST_SIDE)
    cut[small, 4] = IGNORE
    return cut[(sides > 0).all(1)]


def _resized(picture: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    if scale == 1.0:
        return picture
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _number(label: str) -> int:
    return IGNORE if label == IGNORED else CLASSES.index(label)
