"""NIQE: how far an image is from the statistics of good photographs, without any reference.

Source: Mittal, Soundararajan, Bovik, "Making a completely blind image quality analyzer", IEEE Signal Processing
Letters 2013, written from the paper with the constants of its release. The model of good photographs is not part of
lexifuse: pass the published one as a file (an .npz with ``mu_pris_param`` and ``cov_pris_param``), or fit your own.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexifuse.errors import InputError
from lexifuse.metrics.planes import Field, same_size

BLOCK = 96
"""Side of a block at full size, in pixels."""

SHARP = 0.75
"""Blocks at least this sharp, relative to the sharpest of their image, describe a good photograph."""

FEATURES = 36
"""Numbers per block: 18 at full size and 18 at half size."""

_DAMAGED = (zipfile.BadZipFile, zlib.error)
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(0.2, 10.001, 0.001)
_SHAPE_RATIOS = np.array([math.gamma(2 / s) ** 2 / (math.gamma(1 / s) * math.gamma(3 / s)) for s in _SHAPES])


@dataclass(frozen=True, slots=True)
class NiqeParameters:
    """A multivariate Gaussian of the features of good photographs.

    Attributes:
        mean: (36,) finite numbers.
        covariance: (36, 36) likewise.

    Raises:
        InputError: they are of other shapes, no numbers, NaN or infinite.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.mean.shape != (FEATURES,) or self.covariance.shape != (FEATURES, FEATURES):
            raise InputError(
                f"NIQE parameters must be a mean of {FEATURES} numbers and a {FEATURES}x{FEATURES} covariance, "
                f"not {self.mean.shape} and {self.covariance.shape}"
            )
        if not all(values.dtype.kind in "iuf" and np.isfinite(values).all() for values in (self.mean, self.covariance)):
            raise InputError("NIQE parameters must be finite numbers: fit them again, or take the published ones")

    @classmethod
    def load(cls, path: Path | str) -> NiqeParameters:
        """Read an .npz file with ``mu_pris_param`` and ``cov_pris_param``, as public NIQE programs ship it.

        Raises:
            InputError: the file cannot be read, or holds something else.
        """
        try:
            # NumPy leaves a file that it cannot read open.
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(np.ravel(stored["mu_pris_param"]), np.asarray(stored["cov_pris_param"]))
        except (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, *_DAMAGED) as error:
            raise InputError(
                f"cannot read NIQE parameters from {path}: expected an .npz file with mu_pris_param and cov_pris_param"
            ) from error

    @classmethod
    def fit(cls, images: Iterable[ArrayLike]) -> NiqeParameters:
        """Describe photographs by their sharp blocks.

        Args:
            images: (H, W) uint8 luma planes, of any sizes; those smaller than one block are passed over.

        Raises:
            InputError: fewer than two sharp blocks are found.
        """
        rows = []
        for image in images:
            (plane,) = same_size(image=image)
            if min(plane.shape) >= BLOCK:
                features, sharpness = _features(plane)
                rows.append(features[sharpness > SHARP * sharpness.max()])
        features = np.concatenate(rows) if rows else np.empty((0, FEATURES))
        features = features[np.isfinite(features).all(axis=1)]
        if len(features) < 2:
            raise InputError(f"NIQE needs photographs of at least {BLOCK}x{BLOCK} pixels with texture to be fitted")
        return cls(features.mean(axis=0), np.cov(features, rowvar=False))


def niqe(image: ArrayLike, parameters: NiqeParameters | Path | str) -> float:
    """Naturalness Image Quality Evaluator: the distance between two Gaussians of local statistics.

    sqrt((m - m0)^T ((C + C0) / 2)^-1 (m - m0)) with the mean and covariance of 36 features of the 96 x 96 blocks of the
    image, and those of good photographs.

    Args:
        image: (H, W) uint8 luma.
        parameters: the model of good photographs, or the .npz file that holds it.

    Returns:
        0 .. about 20, less is better; NaN when the image has fewer than two blocks of 96 x 96 pixels, or is constant.
    """
    (plane,) = same_size(image=image)
    if not isinstance(parameters, NiqeParameters):
        parameters = NiqeParameters.load(parameters)
    if (plane.shape[0] // BLOCK) * (plane.shape[1] // BLOCK) < 2:
        return math.nan
    features, _ = _features(plane)
    usable = features[np.isfinite(features).all(axis=1)]
    if len(usable) < 2:
        return math.nan
    offset = parameters.mean - np.nanmean(np.where(np.isfinite(features), features, np.nan), axis=0)
    covariance = (parameters.covariance + np.cov(usable, rowvar=False)) / 2
    return math.sqrt(max(0.0, float(offset @ np.linalg.pinv(covariance) @ offset)))


def _features(plane: NDArray[np.uint8]) -> tuple[Field, Field]:
    """Features (blocks, 36) of all blocks, row by row, and their sharpness (blocks,); NaN where a block is flat."""
    rows, columns = (side // BLOCK for side in plane.shape)
    current = plane[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    halves, sharpness = [], np.empty(0)
    for scale, block in enumerate((BLOCK, BLOCK // 2)):
        normalised, deviation = _normalise(current)
        if scale == 0:
            sharpness = _blocks(deviation, block).mean(axis=(1, 2))
        halves.append(np.array([_block_features(part) for part in _blocks(normalised, block)]))
        if scale == 0:
            current = _halve(current)
    return np.concatenate(halves, axis=1), sharpness


def _normalise(plane: Field) -> tuple[Field, Field]:
    """Mean-subtracted, contrast-normalised pixels and the local standard deviation."""
    window = cv2.getGaussianKernel(7, 7 / 6, cv2.CV_64F)
    mean, square = (
        cv2.sepFilter2D(values, -1, window, window, borderType=cv2.BORDER_REPLICATE)
        for values in (plane, plane * plane)
    )
    deviation = np.sqrt(np.abs(square - mean * mean))
    return (plane - mean) / (deviation + 1), deviation


def _blocks(plane: Field, side: int) -> Field:
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _block_features(block: Field) -> list[float]:
    shape, left, right = _asymmetric_gaussian(block)
    features = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _asymmetric_gaussian(block * np.roll(block, shift, axis=(0, 1)))
        skew = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape) if shape == shape else math.nan
        features += [shape, skew, left, right]
    return features


def _asymmetric_gaussian(values: Field) -> tuple[float, float, float]:
    """Shape and both scales of an asymmetric generalised Gaussian, by moment matching; NaN where a side is empty."""
    below, above = values[values < 0], values[values > 0]
    if below.size == 0 or above.size == 0:
        return math.nan, math.nan, math.nan
    left, right = (math.sqrt(float(np.mean(side * side))) for side in (below, above))
    balance = left / right
    spread = float(np.mean(np.abs(values))) ** 2 / float(np.mean(values * values))
    spread *= (balance**3 + 1) * (balance + 1) / (balance**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin(np.abs(_SHAPE_RATIOS - spread))])
    scale = math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))
    return shape, left * scale, right * scale


def _halve(plane: Field) -> Field:
    """Half the size by the antialiased cubic filter (8 taps) of the release; both sides of the plane are even."""
    distance = np.abs(np.arange(-3.5, 4.0)) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, far)
    taps /= taps.sum()
    framed = cv2.copyMakeBorder(plane, 4, 4, 4, 4, cv2.BORDER_REFLECT)
    # an even number of taps: anchored so that the window of output (0, 0) is centred between pixels 0 and 1
    filtered = cv2.sepFilter2D(framed, -1, taps, taps, anchor=(3, 3), borderType=cv2.BORDER_CONSTANT)
    return filtered[4:-4:2, 4:-4:2]
