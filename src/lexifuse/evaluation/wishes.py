"""What wishes do to a fusion: balance, highlight and kept colour, measured on rendered scenes whose boxes are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets.synthetic import Scene, render_scene
from lexifuse.instruction import HIGHLIGHT_GROUPS, Instruction
from lexifuse.metrics import Plane, luma
from lexifuse.pair import ImagePair

BALANCES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The balances that are compared, from visible to infrared."""

GROUPS = ("person", "vehicle")
"""Highlight groups whose objects the scenes hold."""

_FIRST_SCENE = 5_000
_SMALLEST = 12  # pixels: the contrast of fewer is chance
_RING = 0.5  # of the box, around it: what an object is seen against
_LEAST_CONTRAST = 4.0  # grey levels: a ratio of less is chance
_TOLERANCE = 1.0  # grey levels by which a step of the balance may go back: in a bright day, infrared adds nothing
_Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class WishResult:
    """How far wishes are granted.

    Attributes:
        monotonic: share of the scenes in which each step of the balance brings the luma closer to the infrared and
            away from the visible picture, up to one grey level.
        contrast: by group, the contrast of the named objects to their surroundings, with the wish over without; the
            median over the objects (1 is no change).
        rest: by group, mean absolute change of the luma outside all named objects, as a share of the full range.
        chroma: mean absolute error of the chroma under ``keep_colour``, as a share of the full range.
        chroma_plain: the same of the plain fusion.
    """

    monotonic: float
    contrast: dict[str, float]
    rest: dict[str, float]
    chroma: float
    chroma_plain: float

    def to_dict(self) -> dict[str, Any]:
        """Rounded, as it goes into a card."""
        return {
            name: {key: round(part, 4) for key, part in value.items()} if isinstance(value, dict) else round(value, 4)
            for name, value in asdict(self).items()
        }


def measure_wishes(fuser: Any, scenes: int = 12, *, advance: Callable[[], None] = lambda: None) -> WishResult:
    """Measure a model on rendered scenes that no training has seen.

    Args:
        fuser: what ``lexifuse.load`` returns.
        scenes: how many; day, dusk and night by turns as the seeds have it.
        advance: called after each scene.
    """
    monotonic: list[bool] = []
    contrast: dict[str, list[float]] = {group: [] for group in GROUPS}
    rest: dict[str, list[float]] = {group: [] for group in GROUPS}
    chroma: list[tuple[float, float]] = []
    for seed in range(_FIRST_SCENE, _FIRST_SCENE + scenes):
        scene = render_scene(seed)
        pair = ImagePair(scene.infrared, scene.visible)
        plain = fuser.fuse_pair(pair).image
        monotonic.append(_monotonic(fuser, pair))
        for group in GROUPS:
            boxes = [item.box for item in scene.objects if item.name in HIGHLIGHT_GROUPS[group]]
            if boxes:
                wish = Instruction(highlight=(group if group == "person" else "car",))
                ratios, change = _highlight(luma(plain), luma(fuser.fuse_pair(pair, wish).image), boxes)
                contrast[group] += ratios
                rest[group].append(change)
        kept = fuser.fuse_pair(pair, Instruction(keep_colour=True)).image
        chroma.append((_chroma_error(kept, scene), _chroma_error(plain, scene)))
        advance()
    kept_error, plain_error = np.mean(chroma, axis=0)
    return WishResult(
        float(np.mean(monotonic)),
        {group: float(np.median(values)) for group, values in contrast.items() if values},
        {group: float(np.mean(values)) for group, values in rest.items() if values},
        float(kept_error),
        float(plain_error),
    )


def _monotonic(fuser: Any, pair: ImagePair) -> bool:
    """Whether each step of the balance goes from the visible picture towards the infrared."""
    infrared, visible = luma(pair.infrared).astype(np.float32), luma(pair.visible).astype(np.float32)
    places = []
    for balance in BALANCES:
        fused = luma(fuser.fuse_pair(pair, Instruction(balance=balance)).image)
        places.append(np.abs(fused - visible).mean() - np.abs(fused - infrared).mean())
    return bool(np.all(np.diff(places) > -_TOLERANCE)) and places[-1] > places[0]


def _highlight(plain: Plane, wished: Plane, boxes: Sequence[tuple[int, int, int, int]]) -> tuple[list[float], float]:
    """Contrast ratios of the objects that are large enough, and the mean change of everything else, 0..1."""
    inside = np.zeros(plain.shape, np.uint8)
    for x0, y0, x1, y1 in boxes:
        inside[y0:y1, x0:x1] = 1
    ratios = []
    for x0, y0, x1, y1 in boxes:
        if min(x1 - x0, y1 - y0) >= _SMALLEST:
            ring = _ring((x0, y0, x1, y1), inside > 0)
            if ring.any():
                before, after = (_contrast(plane, (x0, y0, x1, y1), ring) for plane in (plain, wished))
                ratios.append(max(after, _LEAST_CONTRAST) / max(before, _LEAST_CONTRAST))
    # A halo of some pixels belongs to the object: the network's own idea of its outline differs from the box.
    outside = cv2.dilate(inside, np.ones((9, 9), np.uint8)) == 0
    change = np.abs(wished.astype(np.float32) - plain)[outside]
    return ratios, float(change.mean() / 255.0) if outside.any() else 0.0


def _ring(box: tuple[int, int, int, int], occupied: _Mask) -> _Mask:
    """What surrounds a box by half its size, without any named object, (H, W)."""
    x0, y0, x1, y1 = box
    wide, high = round(_RING * (x1 - x0)), round(_RING * (y1 - y0))
    ring = np.zeros(occupied.shape, bool)
    ring[max(y0 - high, 0) : y1 + high, max(x0 - wide, 0) : x1 + wide] = True
    return ring & ~occupied


def _contrast(plane: Plane, box: tuple[int, int, int, int], ring: _Mask) -> float:
    """Root mean square distance of an object's luma to the mean of its surroundings, 0..255."""
    x0, y0, x1, y1 = box
    inside = plane[y0:y1, x0:x1].astype(np.float32)
    return float(np.sqrt(np.mean((inside - plane[ring].mean()) ** 2)))


def _chroma_error(fused: NDArray[np.uint8], scene: Scene) -> float:
    """Mean absolute difference of Cb and Cr to the visible picture's, as a share of the full range."""
    here, there = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.float32) for picture in (fused, scene.visible)
    )
    return float(np.abs(here - there).mean() / 255.0)
