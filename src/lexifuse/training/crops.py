"""The crop store: training crops cut once from every data set of a recipe and kept as memory-mapped arrays."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from lexifuse.datasets import open_dataset
from lexifuse.datasets.selection import spread
from lexifuse.datasets.synthetic import render_scene
from lexifuse.degradations import FAR_DEPTH
from lexifuse.errors import InputError, UsageError
from lexifuse.instruction import HIGHLIGHT_GROUPS
from lexifuse.pair import read_pair
from lexifuse.pixels import change_depth, is_night
from lexifuse.training import night
from lexifuse.training.object_masks import MASK_GROUPS, Boxes, boxed_objects, fingerprint, warm_objects
from lexifuse.training.recipe import DataSource, Recipe

_VERSION = 2
_SEED = 0  # not the recipe's: runs that differ in their seed share a store


@dataclass(frozen=True)
class SourcePair:
    """A whole training pair before it is cut: uint8 infrared (H, W), visible (H, W, 3), mask bits and depth (H, W)."""

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    depth: NDArray[np.uint8]


@dataclass(frozen=True)
class CropStore:
    """Training crops, N of side S, uint8.

    Attributes:
        infrared: (N, S, S).
        visible: (N, S, S, 3) RGB.
        enhanced: (N, S, S, 3), the brightened night picture; equal to ``visible`` where ``night`` is false.
        illumination: (N, S, S), the illumination map that goes with it.
        mask: (N, S, S), bit i marks :data:`MASK_GROUPS` [i].
        depth: (N, S, S), 1..255 for 0..FAR_DEPTH metres, 0 where unknown.
        night: (N,), natural night pictures.
    """

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    enhanced: NDArray[np.uint8]
    illumination: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    depth: NDArray[np.uint8]
    night: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.infrared)


def open_crops(recipe: Recipe, data: Path, cache: Path, boxes: Boxes | None = None) -> CropStore:
    """Open the crop store of a recipe, cutting it first where it is not there yet (minutes).

    Args:
        recipe: names the data sets and how many crops to take from each.
        data: the folder that holds the data sets.
        cache: where stores are kept, one folder per recipe of data.
        boxes: people and vehicles in the real pairs, as :func:`lexifuse.training.object_masks.read_boxes` gives them.

    Raises:
        UsageError: the recipe holds out all of its crops.
        InputError: no pair of a data set can be used.
    """
    total = sum(source.crops for source in recipe.sources)
    if total <= recipe.validation:
        raise UsageError(
            f"the recipe's sources have {total} crops, and validation holds out {recipe.validation}: raise 'crops' of "
            "a source, or lower 'validation'"
        )
    known = (fingerprint(boxes),) if boxes else ()
    wanted = repr((_VERSION, recipe.sources, recipe.crop_store, _SEED, *known))
    folder = cache / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if not folder.is_dir():
        building = folder.with_suffix(".part")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        _build(recipe, data, building, boxes or {})
        building.replace(folder)
    return CropStore(**{path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))})


def _build(recipe: Recipe, data: Path, folder: Path, boxes: Boxes) -> None:
    side, total = recipe.crop_store, sum(source.crops for source in recipe.sources)
    shapes = {"infrared": (), "visible": (3,), "enhanced": (3,), "illumination": (), "mask": (), "depth": ()}
    arrays: dict[str, NDArray[np.uint8]] = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (total, side, side, *extra))
        for name, extra in shapes.items()
    }
    arrays["night"] = np.lib.format.open_memmap(folder / "night.npy", "w+", np.uint8, (total,))
    # Shuffled places, so that the first crops, which are held out for validation, come from every source.
    places = iter(np.random.default_rng(_SEED).permutation(total))
    for number, source in enumerate(recipe.sources):
        rng = np.random.default_rng([_SEED, number])
        crops = _cut(_pairs(source, data, boxes.get(source.name, {})), source, side, rng)
        for crop, _ in zip(
            track(crops, description=source.name, total=source.crops), range(source.crops), strict=False
        ):
            place = next(places)
            dark = is_night(crop.visible) if source.night is None else source.night
            enhanced, illumination = night.enhance(crop.visible) if dark else (crop.visible, crop.infrared)
            values: dict[str, Any] = {**vars(crop), "enhanced": enhanced, "illumination": illumination}
            for name, value in values.items():
                arrays[name][place] = value
            arrays["night"][place] = dark


def _cut(
    pairs: Iterator[SourcePair] | None, source: DataSource, side: int, rng: np.random.Generator
) -> Iterator[SourcePair]:
    """Endless crops of one source, the pairs taken in turn; rendered scenes where there are no pairs."""
    per_pair = 4 if pairs is None else 1
    kept: list[SourcePair] = []
    scene = 0
    while True:
        if pairs is None:
            pair = _synthetic_pair(1_000_000 + scene)
            scene += 1
        else:
            following = next(pairs, None)
            if following is not None:
                kept.append(following)
            if not kept:
                raise InputError(f"no pair of the data set '{source.name}' can be used: see what was reported of them")
            pair = following or kept[int(rng.integers(len(kept)))]
        for _ in range(per_pair):
            yield _random_crop(pair, source, side, rng)


def _random_crop(pair: SourcePair, source: DataSource, side: int, rng: np.random.Generator) -> SourcePair:
    height, width = pair.infrared.shape
    smallest = side / min(height, width)
    scale = max(rng.uniform(*source.scale), smallest)
    span = min(round(side / scale), height, width)
    top, left = int(rng.integers(height - span + 1)), int(rng.integers(width - span + 1))
    area = np.s_[top : top + span, left : left + span]

    def resized(image: NDArray[np.uint8], method: int) -> NDArray[np.uint8]:
        return cv2.resize(image[area], (side, side), interpolation=method).astype(np.uint8)

    smooth = cv2.INTER_AREA if span >= side else cv2.INTER_CUBIC
    return SourcePair(
        resized(pair.infrared, smooth),
        resized(pair.visible, smooth),
        resized(pair.mask, cv2.INTER_NEAREST),
        resized(pair.depth, cv2.INTER_NEAREST),
    )


_BoxesOfOne = Mapping[str, list[tuple[str, float, float, float, float]]]


def _pairs(source: DataSource, data: Path, boxes: _BoxesOfOne) -> Iterator[SourcePair] | None:
    """The pairs of a source with their masks, None for rendered scenes."""
    if source.name == "synthetic":
        return None
    return (
        _real_pair(infrared, visible, boxes.get(name, ())) for name, infrared, visible in training_pairs(source, data)
    )


def training_pairs(source: DataSource, data: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """The real pairs of a source, evenly spread where it has more pairs than crops are wanted.

    Yields:
        The name, infrared (H, W) and visible (H, W, 3) or (H, W), uint8.

    A pair that cannot be used is reported and left out, such as one whose pictures differ in size.
    """
    folder = data / source.name / "train"
    if (folder / "ir").is_dir() and any((folder / "ir").glob("*.mp4")):
        yield from _video_pairs(folder, source.every)
        return
    for item in spread(open_dataset(data, source.name, "train").items, source.crops):
        try:
            pair = read_pair(item.infrared, item.visible)
        except InputError as error:
            told = f"{source.name}: left out {item.name}: {error}"
            Console(stderr=True).print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)
            continue
        yield item.infrared.stem, change_depth(pair.infrared, np.uint8), change_depth(pair.visible, np.uint8)


def _video_pairs(folder: Path, every: int) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    for path in sorted((folder / "ir").glob("*.mp4")):
        readers = [cv2.VideoCapture(str(folder / kind / path.name)) for kind in ("ir", "vi")]
        if not all(reader.isOpened() for reader in readers):
            raise InputError(f"cannot read the video pair {path.name} in {folder}: check that both ir and vi have it")
        number = 0
        while True:
            (ok_infrared, infrared), (ok_visible, visible) = (reader.read() for reader in readers)
            if not (ok_infrared and ok_visible):
                break
            if number % every == 0:
                grey = cv2.cvtColor(infrared, cv2.COLOR_BGR2GRAY).astype(np.uint8)
                yield f"{path.stem}#{number}", grey, cv2.cvtColor(visible, cv2.COLOR_BGR2RGB).astype(np.uint8)
            number += 1


def _real_pair(
    infrared: NDArray[np.uint8], visible: NDArray[np.uint8], boxes: Iterable[tuple[str, float, float, float, float]]
) -> SourcePair:
    if visible.ndim == 2:
        visible = np.repeat(visible[..., None], 3, axis=2)
    mask = warm_objects(infrared) | boxed_objects(infrared, boxes)
    return SourcePair(infrared, visible, mask, np.zeros_like(infrared))


def _synthetic_pair(seed: int) -> SourcePair:
    scene = render_scene(seed)
    bits = np.zeros(len(scene.objects) + 1, np.uint8)
    for index, item in enumerate(scene.objects, start=1):
        for bit, group in enumerate(MASK_GROUPS):
            if item.name in HIGHLIGHT_GROUPS[group]:
                bits[index] |= 1 << bit
    depth = 1 + np.rint(254 * np.minimum(scene.depth, FAR_DEPTH) / FAR_DEPTH)
    mask = bits[scene.labels] | warm_objects(scene.infrared)
    return SourcePair(scene.infrared, scene.visible, mask, depth.astype(np.uint8))
