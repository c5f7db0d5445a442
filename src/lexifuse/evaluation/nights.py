"""Real nights: what "it is too dark" does to night pictures that nobody damaged and that have no clean original."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import Instruction
from lexifuse.metrics import Plane, luma
from lexifuse.pair import ImagePair

_CLIPPED = 250
_FLAT_SHARE = 0.3


@dataclass(frozen=True)
class NightResult:
    """How a brightened fusion compares with the plain one.

    Attributes:
        lift: median luma of the darker half of the picture, brightened over plain; 2 is twice as bright.
        noise: noise as a share of the signal in flat regions, brightened over plain; 1 is no rise.
        clipped: share of pixels at 250 or above, brightened minus plain.
    """

    lift: float
    noise: float
    clipped: float


def brighten(fuser: Any, pair: ImagePair, severity: float = 0.8) -> NightResult:
    """Fuse a night pair plainly and with ``visible.low_light``, and compare the two.

    Args:
        fuser: what ``lexifuse.load`` returns.
        pair: a night pair.
        severity: asked for, 0..1.
    """
    plain = luma(fuser.fuse_pair(pair).image)
    bright = luma(fuser.fuse_pair(pair, Instruction().with_values({"visible.low_light": severity})).image)
    flat = flat_regions(plain)
    return NightResult(
        lift=(darker_half(bright) + 1.0) / (darker_half(plain) + 1.0),
        noise=noise_share(bright, flat) / max(noise_share(plain, flat), 1e-6),
        clipped=float((bright >= _CLIPPED).mean() - (plain >= _CLIPPED).mean()),
    )


def mean_result(results: Iterable[NightResult]) -> NightResult:
    """The mean of each figure."""
    every = list(results)
    return NightResult(*(float(np.mean([getattr(one, item.name) for one in every])) for item in fields(NightResult)))


def darker_half(plane: Plane) -> float:
    """Median of the pixels that are not above the picture's median, 0..255."""
    return float(np.median(plane[plane <= np.median(plane)]))


def flat_regions(plane: Plane) -> NDArray[np.bool_]:
    """The part of the picture with the weakest edges after smoothing, (H, W)."""
    smooth = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 3.0)
    edges = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.asarray(edges <= np.quantile(edges, _FLAT_SHARE))


def noise_share(plane: Plane, flat: NDArray[np.bool_]) -> float:
    """Deviation from the local mean in flat regions, over the mean luma there."""
    signal = plane.astype(np.float32)
    rest = signal - cv2.GaussianBlur(signal, (0, 0), 2.0)
    return float(rest[flat].std() / (signal[flat].mean() + 1.0))
