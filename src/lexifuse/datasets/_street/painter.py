"""Draws a thing out of parts (polygons, limbs, discs) on a fine grid and averages it down to a sprite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lexifuse.datasets._street.canvas import Camera, Canvas, Floats, Sprite, noise_patch

_SHIFT = 4
_FAR = 16_000.0
_THIN = 2.5
"""Radius in fine pixels below which a limb is too thin to show a round cross-section."""

_LEVELS = ((1.0, 70), (0.86, 140), (0.68, 190), (0.45, 228), (0.2, 250))
"""Nested copies (size, height) that build up the round cross-section of a limb."""


@dataclass(frozen=True)
class Material:
    """What a part is made of.

    Attributes:
        colour: linear reflectance, RGB 0..1.
        temperature: °C.
        emission: linear light sent out, RGB.
        grain: relative variation of the colour.
        warmth: variation of the temperature in °C.
    """

    colour: tuple[float, float, float]
    temperature: float
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grain: float = 0.06
    warmth: float = 0.3


class Painter:
    """A fine grid over the window that a thing can cover.

    Args:
        canvas: the scene; only its camera and frame are read.
        corners: world points (N, 3) whose projections enclose the thing.
    """

    def __init__(self, canvas: Canvas, corners: npt.ArrayLike) -> None:
        self.camera: Camera = canvas.camera
        pixels = self.camera.project(corners)
        margin = np.array([[-2.0, -2.0], [2.0, 2.0]])
        window = canvas.clip_box(np.stack([pixels.min(axis=0), pixels.max(axis=0)]) + margin)
        self.visible = window is not None
        rows, columns = window or (slice(0, 1), slice(0, 1))
        self.left, self.top = columns.start, rows.start
        height, width = rows.stop - rows.start, columns.stop - columns.start
        area = height * width
        self.fold = 4 if area < 6_000 else 3 if area < 40_000 else 2
        self.parts = np.zeros((height * self.fold, width * self.fold), np.uint8)
        self.relief = np.zeros_like(self.parts)
        self.distance: Floats | None = None
        self.shape = height, width
        self._materials: list[Material] = []

    def material(self, material: Material) -> int:
        """Make a material known; the number returned is what the drawing calls take."""
        if material in self._materials:
            return self._materials.index(material) + 1
        self._materials.append(material)
        return len(self._materials)

    def polygon(self, pixels: npt.ArrayLike, part: int, relief: int | None = None) -> None:
        """Fill a polygon of pixel positions (N, 2). Without a relief it swells towards its middle like a body."""
        points = self._fine(pixels)
        cv2.fillPoly(self.parts, [_fixed(points)], part, shift=_SHIFT)
        if relief is not None:
            cv2.fillPoly(self.relief, [_fixed(points)], relief, shift=_SHIFT)
            return
        middle = points.mean(axis=0)
        for outline, (_, height) in zip(_fixed(middle + _SIZES * (points - middle)), _LEVELS, strict=True):
            cv2.fillPoly(self.relief, [outline], height, shift=_SHIFT)

    def faces(
        self,
        pixels: npt.NDArray[np.float64],
        parts: Sequence[int],
        reliefs: Sequence[int],
        distances: Sequence[float],
    ) -> None:
        """Fill many convex polygons of pixel positions (faces, N, 2) in turn, each with a distance in metres."""
        if self.distance is None:
            self.distance = np.zeros(self.parts.shape, np.float32)
        for outline, part, relief, distance in zip(_fixed(self._fine(pixels)), parts, reliefs, distances, strict=True):
            cv2.fillConvexPoly(self.parts, outline, part, shift=_SHIFT)
            cv2.fillConvexPoly(self.relief, outline, relief, shift=_SHIFT)
            cv2.fillConvexPoly(self.distance, outline, distance, shift=_SHIFT)

    def limb(self, points: npt.ArrayLike, radii: npt.ArrayLike, part: int) -> None:
        """A chain of tapered round segments through pixel positions (N, 2) with a radius in pixels at each."""
        points, radii = self._fine(points), np.asarray(radii, np.float64) * self.fold
        if radii.max() < _THIN:
            path = [_fixed(points)]
            cv2.polylines(self.parts, path, False, part, max(1, round(2 * radii.mean())), shift=_SHIFT)
            cv2.polylines(self.relief, path, False, 190, max(1, round(2 * radii.mean())), shift=_SHIFT)
            return
        outlines = [_fixed(_capsules(points[i], points[i + 1], radii[i], radii[i + 1])) for i in range(len(points) - 1)]
        for outline in outlines:
            cv2.fillConvexPoly(self.parts, outline[0], part, shift=_SHIFT)
        for level, (_, height) in enumerate(_LEVELS):
            for outline in outlines:
                cv2.fillConvexPoly(self.relief, outline[level], height, shift=_SHIFT)

    def twigs(self, segments: npt.ArrayLike, radii: npt.ArrayLike, part: int) -> None:
        """Many separate segments of pixel positions (N, 2, 2) with radii (N,) in pixels, the thick ones round."""
        segments, radii = np.asarray(segments, np.float64), np.asarray(radii, np.float64)
        fine = _fixed(self._fine(segments))
        widths = np.maximum(np.round(2 * radii * self.fold), 1).astype(int)
        thin = radii * self.fold < _THIN
        for number in np.flatnonzero(~thin):
            self.limb(segments[number], (radii[number], radii[number] * 0.75), part)
        for width in np.unique(widths[thin]):
            lines = list(fine[thin & (widths == width)])
            cv2.polylines(self.parts, lines, False, part, int(width), shift=_SHIFT)
            cv2.polylines(self.relief, lines, False, 190, int(width), shift=_SHIFT)

    def disc(
        self, centre: npt.ArrayLike, radius: float, part: int, aspect: float = 1.0, relief: int | None = None
    ) -> None:
        """A disc (an ellipse ``aspect`` times as wide as high) around one pixel position."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(angles) * aspect, np.sin(angles)], axis=-1) * radius
        self.polygon(np.asarray(centre) + ring, part, relief)

    def line(self, pixels: npt.ArrayLike, thickness: float, part: int, relief: int = 128) -> None:
        """An open line through pixel positions (N, 2), ``thickness`` pixels wide."""
        points = [_fixed(self._fine(pixels))]
        width = max(1, round(thickness * self.fold))
        cv2.polylines(self.parts, points, False, part, width, shift=_SHIFT)
        cv2.polylines(self.relief, points, False, relief, width, shift=_SHIFT)

    def sprite(
        self,
        rng: np.random.Generator,
        depth: float,
        *,
        light: float = 0.0,
        roundness: float = 0.0,
        grain_size: float = 0.04,
    ) -> Sprite:
        """Average the fine grid down.

        Args:
            rng: source of the surface's variation.
            depth: distance in metres.
            light: where the direct light comes from, -1 (left) .. 1 (right).
            roundness: radius in pixels over which the relief turns away; 0 takes the relief as the shade itself.
            grain_size: size of the finest surface variation in metres.
        """
        layers = self._layers()
        alpha = np.minimum(layers[..., 0], 1.0)
        layers /= np.maximum(alpha, 1e-3)[..., None]
        coarse = 32 * grain_size * self.camera.scale(depth)
        texture = noise_patch(rng, 0.9, self.shape, float(np.clip(16 / max(coarse, 0.1), 0.05, 8)))
        shade = self._shade(light, roundness * self.fold)
        temperature = layers[..., 4] + texture * layers[..., 9]
        if roundness > 0:
            # A round, warm body looks cooler where it turns away from the camera.
            temperature += (shade - 0.9) * 4.5 * layers[..., 9]
        return Sprite(
            self.left,
            self.top,
            alpha,
            np.clip(layers[..., 1:4] * (1 + texture * layers[..., 8])[..., None], 0, 1),
            temperature,
            layers[..., 5:8],
            shade,
            self._depth(depth),
        )

    def _layers(self) -> Floats:
        """Cover, colour, temperature, emission, grain and warmth (h, w, 10), all times the cover."""
        height, width = self.shape
        table = np.array(
            [(1.0, *one.colour, one.temperature, *one.emission, one.grain, one.warmth) for one in self._materials]
            or [(0.0,) * 10],
            np.float32,
        )
        # The share of every pixel that each material covers, times what the material is like.
        fine = (np.where(self.parts == number + 1, np.uint8(255), np.uint8(0)) for number in range(len(table)))
        shares = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in fine], axis=-1)
        shares = shares.reshape(height, width, len(table))
        return (shares.astype(np.float32) / 255) @ table

    def _depth(self, middle: float) -> Floats:
        """Distance (h, w) of what was drawn, ``middle`` where nothing said."""
        if self.distance is None:
            return np.full(self.shape, middle, np.float32)
        centre = self.fold // 2
        nearest = self.distance[centre :: self.fold, centre :: self.fold]
        return np.where(nearest > 0, nearest, np.float32(middle)).astype(np.float32)

    def _shade(self, light: float, radius: float) -> Floats:
        relief = self.relief.astype(np.float32)
        height, width = self.shape
        if radius <= 0:
            cover = (self.parts > 0).astype(np.float32)
            blur = max(0.4, 0.004 * self.parts.shape[0])
            shade = cv2.GaussianBlur(relief * cover, (0, 0), blur) / np.maximum(
                cv2.GaussianBlur(cover, (0, 0), blur), 1e-3
            )
            return cv2.resize(shade, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width) / 128
        relief = cv2.GaussianBlur(relief, (0, 0), max(0.6, 0.25 * radius))
        relief = cv2.resize(relief, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width) / 255
        slope = radius / self.fold
        across = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=slope / 8)
        down = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=slope / 8)
        return np.clip(0.5 + 0.4 * relief - 0.45 * light * across + 0.35 * down, 0.15, 1.4).astype(np.float32)

    def _fine(self, pixels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return (np.asarray(pixels, np.float64) - (self.left, self.top)) * self.fold - 0.5


def _fixed(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    return (points.clip(-_FAR, _FAR) * (1 << _SHIFT)).astype(np.int32)


_ARC = np.linspace(-np.pi / 2, np.pi / 2, 9)
_CAP = np.stack([np.cos(_ARC), np.sin(_ARC)], axis=-1)
_SIZES = np.array([size for size, _ in _LEVELS])[:, None, None]


def _capsules(start: npt.NDArray, end: npt.NDArray, first: float, last: float) -> npt.NDArray[np.float64]:
    """Outlines (levels, 18, 2) of a tapered segment with round ends, one for each of the nested sizes."""
    x, y = end - start
    length = math.hypot(x, y)
    x, y = (x / length, y / length) if length > 1e-6 else (1.0, 0.0)
    cap = _CAP @ np.array([[x, y], [-y, x]])
    centre = np.concatenate([np.broadcast_to(end, cap.shape), np.broadcast_to(start, cap.shape)])
    return centre + _SIZES * np.concatenate([last * cap, -first * cap])
