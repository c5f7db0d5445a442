"""What a scene is painted on: a pinhole camera over flat ground, and the layers from which both cameras are shaded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
"""An array of float32."""

RGB = tuple[float, float, float]
"""Linear red, green, blue."""

NEAR = 1.0
"""Nothing nearer than this many metres is drawn."""

SKY_DEPTH = 1000.0
"""Depth of the sky in metres: large and finite."""

TILE = 512
"""Side of a noise tile in texels."""


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera over flat ground: x to the right, y up from the ground, z ahead, all in metres.

    The picture plane is shifted, not tilted, so that verticals stay upright wherever the horizon lies.
    """

    width: int
    height: int
    focal: float
    centre: float
    horizon: float
    elevation: float

    def project(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """World points (..., 3) to pixel positions (..., 2), where pixel i covers [i, i + 1)."""
        points = np.asarray(points, np.float64)
        z = np.maximum(points[..., 2], NEAR)
        u = self.centre + self.focal * points[..., 0] / z
        v = self.horizon + self.focal * (self.elevation - points[..., 1]) / z
        return np.stack([u, v], axis=-1)

    def scale(self, z: float) -> float:
        """Pixels per metre at distance ``z``."""
        return self.focal / max(z, NEAR)


@dataclass(frozen=True)
class Sprite:
    """A drawn thing, cut out: every layer is (h, w) or (h, w, 3) and begins at pixel (``left``, ``top``)."""

    left: int
    top: int
    alpha: Floats
    albedo: Floats
    temperature: Floats
    emission: Floats
    shade: Floats
    depth: Floats

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the sprite lies on the canvas."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True)
class Light:
    """A lamp: position in metres, colour times strength; a beam where it has a direction (a unit vector)."""

    position: tuple[float, float, float]
    colour: RGB
    direction: tuple[float, float, float] | None = None
    focus: float = 1.0


class Canvas:
    """The layers of a scene, each (H, W) or (H, W, 3).

    Attributes:
        albedo: linear reflectance 0..1, RGB.
        emission: linear light sent out, RGB.
        temperature: apparent temperature in °C.
        depth: metres.
        shade: share of the direct light that the surface catches, about 0..1.3.
        flat: 1 on the ground, 0 on everything that stands on it.
        sunlight: 1 where the sun reaches, 0 on ground in a cast shadow.
        contact: 1 in the open, lower on ground that things stand on.
        labels: 0, or the number of the object that is seen.
        lights: the lamps that are lit.
    """

    def __init__(self, camera: Camera) -> None:
        shape = camera.height, camera.width
        self.camera = camera
        self.albedo = np.zeros((*shape, 3), np.float32)
        self.emission = np.zeros((*shape, 3), np.float32)
        self.temperature = np.zeros(shape, np.float32)
        self.depth = np.full(shape, SKY_DEPTH, np.float32)
        self.shade = np.ones(shape, np.float32)
        self.flat = np.zeros(shape, np.float32)
        self.sunlight = np.ones(shape, np.float32)
        self.contact = np.ones(shape, np.float32)
        self.labels = np.zeros(shape, np.uint8)
        self.lights: list[Light] = []

    def composite(self, sprite: Sprite, label: int = 0) -> int:
        """Lay a sprite over the canvas where nothing upright stands nearer.

        Returns:
            How many pixels of the sprite are at least half covered, seen or not.
        """
        window = sprite.window
        open_ground = self.flat[window] > 0.5
        seen = open_ground | (self.depth[window] > sprite.depth - 0.2)
        alpha = sprite.alpha * seen
        rest = 1 - alpha
        for layer, drawn in (
            (self.albedo, sprite.albedo),
            (self.emission, sprite.emission),
            (self.temperature, sprite.temperature),
            (self.shade, sprite.shade),
        ):
            layer[window] = cv2.blendLinear(layer[window], drawn, rest, alpha)
        solid = alpha >= 0.5
        self.depth[window][solid] = sprite.depth[solid]
        self.flat[window][solid] = 0.0
        self.contact[window][solid] = 1.0
        self.sunlight[window][solid] = 1.0
        self.labels[window][solid] = label
        return int(np.count_nonzero(sprite.alpha >= 0.5))

    def ground_box(self, x: float, z: float, reach_x: float, reach_z: float) -> tuple[slice, slice] | None:
        """The pixels of the ground within ``reach_x``, ``reach_z`` metres of (x, z), or None when outside the frame."""
        corners = [(x + a * reach_x, 0.0, max(z + b * reach_z, NEAR)) for a in (-1, 1) for b in (-1, 1)]
        return self.clip_box(self.camera.project(corners))

    def clip_box(self, pixels: npt.ArrayLike) -> tuple[slice, slice] | None:
        """The pixel window around some pixel positions (N, 2), clipped to the frame; None when nothing is left."""
        pixels = np.asarray(pixels, np.float64)
        limit = np.array([self.camera.width, self.camera.height])
        low = np.clip(np.floor(pixels.min(axis=0)), 0, limit).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)), 0, limit).astype(int)
        if np.any(high <= low):
            return None
        return slice(low[1], high[1]), slice(low[0], high[0])

    def ground_points(self, window: tuple[slice, slice]) -> tuple[Floats, Floats]:
        """World x (h, w) and z (h, 1) in metres of the ground seen in a window below the horizon."""
        camera = self.camera
        v = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] + 0.5
        u = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] + 0.5
        z = np.minimum(camera.focal * camera.elevation / np.maximum(v - camera.horizon, 1e-3), SKY_DEPTH)
        z = z.astype(np.float32)
        return ((u - camera.centre) * (z / camera.focal)).astype(np.float32), z


@cache
def noise_tile(slope: float) -> Floats:
    """Tileable noise (512, 512) of mean 0 and deviation 1 with a 1/f^slope spectrum; 0 is grain, 1.5 is cloud."""
    rng = np.random.default_rng(20240)
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :]
    frequency = np.maximum(np.hypot(fy, fx), 2 / TILE)
    tile = np.fft.irfft2(spectrum * frequency**-slope, s=(TILE, TILE))
    tile = np.clip((tile - tile.mean()) / tile.std(), -3, 3).astype(np.float32)
    tile.setflags(write=False)
    return tile


def noise_at(slope: float, x: Floats, y: Floats) -> Floats:
    """Noise at texel positions ``x``, ``y`` (both (h, w), within ±32,000)."""
    return cv2.remap(noise_tile(slope), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def noise_patch(
    rng: np.random.Generator, slope: float, shape: tuple[int, int], texels_per_pixel: float | tuple[float, float]
) -> Floats:
    """Noise of a given (h, w) from a random place of the tile, ``texels_per_pixel`` (down, across) apart.

    A patch takes at most a whole tile; beyond that it is stretched.
    """
    steps = texels_per_pixel if isinstance(texels_per_pixel, tuple) else (texels_per_pixel, texels_per_pixel)
    high, wide = (int(np.clip(math.ceil(size * step), 2, TILE)) for size, step in zip(shape, steps, strict=True))
    top, left = rng.integers(0, TILE, 2)
    patch = cv2.resize(_two_tiles(slope)[top : top + high, left : left + wide], shape[::-1])
    # Detail finer than a pixel averages out.
    return patch * np.float32(1 / math.sqrt(max(1.0, *steps)))


@cache
def _two_tiles(slope: float) -> Floats:
    """The tile twice in each direction, so that a patch can begin anywhere."""
    return np.tile(noise_tile(slope), (2, 2))
