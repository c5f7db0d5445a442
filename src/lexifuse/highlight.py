"""Bring out what is asked for by name: objects are pulled away from what surrounds them.

The networks hear the wish too, but a network of five GMAC does not know people in daylight. Their warmth and shape are
in the infrared picture for everybody to see, and are found there without learning; vehicles, which are often as cold as
the street, a detector finds. It also knows which warm shapes are no people but wheels and exhausts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import HIGHLIGHT_GROUPS
from lexifuse.outlines import Box, outlines
from lexifuse.pair import ImagePair
from lexifuse.pixels import change_depth, luma, to_float

_SIDE = 640  # pixels, longest side of the view in which shapes are looked for
_SURROUNDINGS = 24.0  # pixels of that view
_NEAR = 12.0
_EDGE = 4.0
_FINE_SIGMA = 3.0  # pixels; wider means are taken of smaller pictures
_WARMER = 0.16  # above the surroundings, as a share of the range between the coldest and warmest percent
_WARMER_THAN_MOST = 0.12  # above half of the picture: a tree before a clear sky is warm in its surroundings alone
_PUSH, _STRETCH = 0.2, 0.7  # of the full range, and of the difference that is there already
_SPARED = 0.03  # what is darker than its surroundings by more than this may be made darker still
_MOST = 0.5  # of the way to white or black: with more, clothes and cars lose what can be seen of them
_INSIDE, _PART = 0.7, 0.35  # a part of a vehicle lies in its box by so much, and has no more than so much of its area
_COVERED = 0.3  # share of a warm shape in the box of a person, from which on it may be the person's
_ROWS = 512  # of the picture are changed at a time, so that memory stays bounded
_COLUMNS = 32_000  # of the picture at a time: OpenCV's remap takes no more than 32,766
_Plane = NDArray[np.float32]


@dataclass(frozen=True)
class _Shape:
    """What a warm region must be like to be taken for something of a group."""

    least_area: float  # as a share of the picture
    most_area: float
    tallest: float  # most height over width
    flattest: float  # least height over width
    least_fill: float  # least share of its box


_SHAPES = {
    "person": _Shape(0.0001, 0.12, tallest=6.0, flattest=0.9, least_fill=0.25),
    "vehicle": _Shape(0.0008, 0.3, tallest=1.2, flattest=0.3, least_fill=0.55),
    "hot": _Shape(0.00005, 0.3, tallest=20.0, flattest=0.05, least_fill=0.0),
}


def bring_out(
    pair: ImagePair,
    image: NDArray[Any],
    highlight: Iterable[str],
    vehicles: Sequence[Box] | None = None,
    people: Sequence[Box] = (),
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Make objects stand out of a fused picture.

    Args:
        pair: the sources; white is hot in the infrared one.
        image: (H, W, 3) or (H, W), their fusion; it is not changed.
        highlight: names of :data:`lexifuse.instruction.HIGHLIGHTS`.
        vehicles: boxes of the vehicles that a detector saw in ``image``; None where none looked, and warmth must do.
        people: boxes of what it took for people, be it unlikely: what is warm there is no part of a vehicle.

    Returns:
        The picture with the objects pulled away from the luma around them, and what the user should know, as notes.
    """
    names = tuple(highlight)
    groups = {group: [name for name in names if name in HIGHLIGHT_GROUPS[group]] for group in HIGHLIGHT_GROUPS}
    notes = [f"left out: bring out {name} (nothing here can tell it apart)" for name in groups.pop("scene")]
    view = _view(pair.infrared)
    mask = np.zeros(view.shape, np.uint8)
    regions = _warm_regions(view) if any(groups.values()) else None
    for group, wanted in groups.items():
        if not wanted or regions is None:
            continue
        if group == "vehicle" and vehicles is not None:
            found = _outlined(image, _scaled(vehicles, image, view), view.shape)
        else:
            parts = regions.parts_of(*(_scaled(boxes, image, view) for boxes in (vehicles or (), people)))
            found = regions.like(_SHAPES[group], parts if group == "person" else None)
        mask |= found
        if not found.any():
            notes.append(f"nothing to bring out: found nothing that could be a {' or '.join(wanted)}")
    return (_lifted(image, mask), tuple(notes)) if mask.any() else (image, tuple(notes))


def _outlined(image: NDArray[Any], boxes: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The objects in some boxes (N, 4) of the view, as a mask of its size."""
    small = change_depth(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    small = small if small.ndim == 3 else np.repeat(small[..., None], 3, axis=2)
    return outlines(small, [tuple(box) for box in boxes])


def _scaled(boxes: Sequence[Box], image: NDArray[Any], view: _Plane) -> NDArray[np.float64]:
    """Boxes (N, 4) in a picture as boxes in the view."""
    scale = np.divide(view.shape[::-1], image.shape[1::-1])
    return np.reshape(boxes, (-1, 4)).astype(np.float64) * np.tile(scale, 2)


def _view(infrared: NDArray[Any]) -> _Plane:
    """The infrared picture, small, with its coldest and warmest percent at 0 and 1."""
    scale = min(1.0, _SIDE / max(infrared.shape))
    size = max(round(infrared.shape[1] * scale), 1), max(round(infrared.shape[0] * scale), 1)
    small = cv2.resize(infrared, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    coldest, warmest = np.quantile(small, (0.01, 0.99))
    return np.clip((small - coldest) / max(warmest - coldest, 1e-6), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class _Regions:
    """Connected regions of a view.

    Attributes:
        labels: (H, W), number of the region of each pixel, 0 outside.
        statistics: (N, 5) per number: left, top, width, height and area in pixels.
    """

    labels: NDArray[np.int32]
    statistics: NDArray[np.int32]

    def like(self, shape: _Shape, without: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """(H, W), 1 in the regions that could be of a shape, without some of them, (N,)."""
        _, _, width, height, area = self.statistics.T.astype(np.float64)
        share = area / self.labels.size
        fits = (shape.least_area <= share) & (share <= shape.most_area)
        fits &= (shape.flattest * width <= height) & (height <= shape.tallest * width)
        fits &= area >= shape.least_fill * width * height
        fits[0] = False
        if without is not None:
            fits &= ~without
        return fits.astype(np.uint8)[self.labels]

    def parts_of(self, vehicles: NDArray[np.float64], people: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,), which regions are parts of vehicles: well inside of the box (M, 4) of one, and of no person's."""
        _, _, width, height, _ = self.statistics.T.astype(np.float64)
        sides = vehicles[:, 2:] - vehicles[:, :2]
        small = (width * height)[:, None] <= _PART * sides.prod(1)
        return (small & (self._within(vehicles) >= _INSIDE)).any(1) & ~(self._within(people) >= _COVERED).any(1)

    def _within(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, M), the share of each region's box that lies in each of some boxes (M, 4)."""
        left, top, width, height, _ = self.statistics.T.astype(np.float64)[..., None]
        x0, y0, x1, y1 = boxes.T[:, None]
        across = np.minimum(left + width, x1) - np.maximum(left, x0)
        down = np.minimum(top + height, y1) - np.maximum(top, y0)
        return np.maximum(across, 0) * np.maximum(down, 0) / np.maximum(width * height, 1)


def _warm_regions(view: _Plane) -> _Regions:
    """The regions that are warmer than what surrounds them, and in the mean than most of the picture."""
    warm = (view - _blurred(view, _SURROUNDINGS) > _WARMER).astype(np.uint8)
    warm = np.asarray(cv2.morphologyEx(warm, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)), np.uint8)
    count, found, statistics, _ = cv2.connectedComponentsWithStats(warm, connectivity=8)
    labels = np.asarray(found, np.int32)
    stands_out = _means(view, labels, count) - np.median(view) > _WARMER_THAN_MOST
    return _Regions(np.where(stands_out[labels], labels, 0), np.asarray(statistics, np.int32))


def _lifted(image: NDArray[Any], mask: NDArray[np.uint8]) -> NDArray[Any]:
    """The picture with the luma in the mask pushed away from, and stretched about, the luma around it."""
    height, width = mask.shape
    plane = luma(to_float(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)))
    lift = _blurred(mask.astype(np.float32), 1.0) * _push(plane, mask)
    result = np.empty_like(image)
    top = 1.0 if image.dtype.kind == "f" else float(np.iinfo(image.dtype).max)
    rows, columns = image.shape[:2]
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        strip = _strip(lift, start, stop, rows, columns)
        changed = image[start:stop].astype(np.float32) + top * (strip[..., None] if image.ndim == 3 else strip)
        result[start:stop] = np.clip(changed if image.dtype.kind == "f" else np.rint(changed), 0, top)
    return result


def _push(plane: _Plane, mask: NDArray[np.uint8]) -> _Plane:
    """What to add inside the mask and close to it, -1..1: each object goes one way, up or down, as a whole."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    labels = labels.astype(np.float32)  # which dilation takes
    ring = np.where(mask > 0, 0, _widened(labels, _NEAR)).astype(np.int32)
    inside, around = _means(plane, labels.astype(np.int32), count), _means(plane, ring, count)
    difference = inside - np.where(np.bincount(ring.ravel(), minlength=count) > 0, around, inside)
    lighter = _PUSH + _STRETCH * np.maximum(difference, 0)
    darker = -np.minimum(_PUSH - _STRETCH * difference, _MOST * inside)
    # A dark car in a dark street has no way to go but up.
    up = (difference > -_SPARED) | (difference + lighter > -(difference + darker))
    push = np.where(up, lighter, darker)
    pushed = push[_widened(labels, _EDGE).astype(np.int32)]
    # What is bright already keeps its detail: it goes only part of the way to white, or to black.
    local = _blurred(plane * mask, _NEAR) / (_blurred(mask.astype(np.float32), _NEAR) + 1e-3)
    return np.asarray(np.clip(pushed, -_MOST * local, _MOST * (1.0 - local)), np.float32)


def _means(plane: _Plane, labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """The mean of a plane over every label, (count,)."""
    sums = np.bincount(labels.ravel(), plane.ravel(), count)
    return sums / np.maximum(np.bincount(labels.ravel(), minlength=count), 1)


def _widened(labels: _Plane, reach: float) -> _Plane:
    """Labels (H, W) that also cover what lies within a reach in pixels; of two, the larger."""
    side = 2 * round(reach) + 1
    return np.asarray(cv2.dilate(labels, np.ones((side, side), np.uint8)), np.float32)


def _blurred(plane: _Plane, sigma: float) -> _Plane:
    """A Gaussian mean; a wide one is taken of a smaller picture, which looks the same and costs a tenth."""
    step = max(1, round(sigma / _FINE_SIGMA))
    if step == 1 or min(plane.shape) < 2 * step:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
    height, width = plane.shape
    small = cv2.resize(plane, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _strip(plane: _Plane, start: int, stop: int, rows: int, columns: int) -> _Plane:
    """Rows of a small plane as it would be at full size."""
    if plane.shape == (rows, columns):
        return plane[start:stop]
    across = (np.arange(columns, dtype=np.float32) + 0.5) * (plane.shape[1] / columns) - 0.5
    down = (np.arange(start, stop, dtype=np.float32) + 0.5) * (plane.shape[0] / rows) - 0.5
    filled = np.empty((stop - start, columns), np.float32)
    for left in range(0, columns, _COLUMNS):
        block = np.s_[left : left + _COLUMNS]
        grid = np.meshgrid(across[block], down)
        filled[:, block] = cv2.remap(plane, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return filled
