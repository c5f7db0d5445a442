"""What a real night should look like once it is brightened: the training target of ``low_light`` on night pictures.

A night picture is not a degraded day: there is no clean original. The target is made classically, in three steps:
an illumination map (the brightest channel, smoothed with its edges kept: LIME, Guo 2017), a logarithmic tone curve on
that map which lifts the dark and leaves the lamps alone, and non-local means in the lifted picture, where the noise
that the lift made visible can be told from the scene (Buades 2005).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.pixels import luma, to_float

FULL_LIFT = 30.0
"""Strength of the logarithmic curve at severity 1: an illumination of 0.03 becomes 0.19, 0.5 becomes 0.8, 1 stays 1."""

_STORED_SEVERITY = 0.8
_COLOUR_FADE = -0.25


def illumination_of(visible: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The illumination map of (H, W, 3) RGB: (H, W), 0..255, never below the brightest channel by much."""
    brightest = visible.max(axis=2).astype(np.float32) / 255.0
    smooth = _guided(brightest, radius=12, epsilon=4e-3)
    # Lamps smaller than the window must not be thought dark, or they would be clipped.
    return np.rint(255.0 * np.clip(np.maximum(smooth, 0.9 * brightest), 0.0, 1.0)).astype(np.uint8)


def gain(illumination: NDArray[Any], severity: float) -> NDArray[np.float32]:
    """How much each pixel is lifted, at least 1, for an illumination 0..1 and a severity 0..1."""
    strength = FULL_LIFT * severity
    if strength <= 0:
        return np.ones_like(illumination, dtype=np.float32)
    light = np.maximum(illumination.astype(np.float32), 1 / 255.0)
    return np.maximum(np.log1p(strength * light) / (np.log1p(strength) * light), 1.0).astype(np.float32)


def enhance(visible: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Lift and denoise a night picture once.

    Args:
        visible: (H, W, 3) RGB, 0..255.

    Returns:
        The picture at severity 0.8, (H, W, 3), and its illumination map, (H, W); :func:`at_severity` takes both.
    """
    illumination = illumination_of(visible)
    lift = gain(illumination / 255.0, _STORED_SEVERITY)[..., None]
    lifted = visible * lift
    # Colour is lifted less than light: sensors read a cast, not a colour, where there was hardly any light.
    grey = lifted @ np.array([0.299, 0.587, 0.114], np.float32)
    lifted = grey[..., None] + (lifted - grey[..., None]) * lift**_COLOUR_FADE
    lifted = np.rint(np.clip(lifted, 0, 255)).astype(np.uint8)
    noise = estimate_noise(luma(lifted))
    strength = float(np.clip(1.5 * noise, 4.0, 16.0))
    bgr = cv2.cvtColor(lifted, cv2.COLOR_RGB2BGR)
    clean = cv2.fastNlMeansDenoisingColored(bgr, None, strength, 2.5 * strength, 5, 15)
    return cv2.cvtColor(clean, cv2.COLOR_BGR2RGB).astype(np.uint8), illumination


def at_severity(enhanced: NDArray[np.uint8], illumination: NDArray[np.uint8], severity: float) -> NDArray[np.float32]:
    """The night picture brightened by ``severity`` 0..1, as float32 RGB 0..1, from what :func:`enhance` gave."""
    light = illumination / np.float32(255.0)
    ratio = gain(light, severity) / gain(light, _STORED_SEVERITY)
    return np.clip(to_float(enhanced) * ratio[..., None], 0.0, 1.0).astype(np.float32)


def estimate_noise(plane: NDArray[np.uint8]) -> float:
    """Noise deviation of (H, W), 0..255, from the median absolute Laplacian response (after Immerkaer 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(plane.astype(np.float32), -1, kernel)
    return float(np.median(np.abs(response)) / (6.0 * 0.6745))


def _guided(plane: NDArray[np.float32], radius: int, epsilon: float) -> NDArray[np.float32]:
    """Self-guided filter (He 2013): smooth inside regions, edges kept."""
    size = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(plane, size)
    variance = cv2.blur(plane * plane, size) - mean * mean
    slope = variance / (variance + epsilon)
    return cv2.blur(slope, size) * plane + cv2.blur((1 - slope) * mean, size)
