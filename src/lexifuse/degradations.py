"""The nine degradations as seeded, severity-controlled functions: one definition for training, evaluation and demo.

Every degradation is a function ``(image, severity, scene) -> image`` on float32 pictures in 0..1. The seed chooses
*which kind* of damage is done (the angle of the rain, defocus or motion, the colour of the haze), the severity *how
much*, so that for one seed the damage grows with the severity and severity 0 leaves the picture as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS

FloatImage = NDArray[Any]
"""float32 in 0..1; the stubs of OpenCV and NumPy cannot say so for every step in between."""


@dataclass(frozen=True)
class Scene:
    """What a degradation may know besides the picture: chance, and (H, W) metres of depth where it is known."""

    rng: np.random.Generator
    depth: FloatImage | None


Degradation = Callable[[FloatImage, float, Scene], FloatImage]

PHYSICAL_ORDER = (
    "visible.haze",
    "visible.rain",
    "visible.blur",
    "visible.low_light",
    "visible.over_exposure",
    "visible.noise",
    "infrared.low_contrast",
    "infrared.stripes",
    "infrared.noise",
)
"""The order in which several degradations meet the light on its way from the scene to the file."""

FAR_DEPTH = 60.0
"""Metres beyond which haze does not thicken, and at which a scene without a depth map is taken to end."""


def degrade(
    image: NDArray[Any],
    degradation: str,
    severity: float,
    *,
    seed: int = 0,
    depth: FloatImage | None = None,
) -> NDArray[Any]:
    """Damage one picture in one way.

    Args:
        image: (H, W, 3) RGB or (H, W) for ``visible.*``; (H, W) for ``infrared.*``. uint8, uint16 or float32 0..1.
        degradation: one of :data:`lexifuse.instruction.DEGRADATIONS`, such as ``"visible.haze"``.
        severity: 0 (identity) .. 1.
        seed: the same seed gives the same damage.
        depth: (H, W) metres, used by haze up to :data:`FAR_DEPTH`; without it a plausible one is drawn from the seed.

    Returns:
        A new array of the shape and dtype of ``image``.

    Raises:
        UsageError: the degradation is unknown, or the severity outside 0..1.

    >>> import numpy as np
    >>> dark = degrade(np.full((4, 4, 3), 200, np.uint8), "visible.low_light", 0.8, seed=1)
    >>> bool(dark.mean() < 120)
    True
    """
    if degradation not in _FUNCTIONS:
        raise UsageError(f"unknown degradation '{degradation}': choose from {', '.join(DEGRADATIONS)}")
    if not 0.0 <= severity <= 1.0:
        raise UsageError(f"severity must be from 0 to 1, not {severity}")
    if severity == 0.0:
        return image.copy()
    # A stream per degradation, so that adding a second one to a picture does not change the first.
    rng = np.random.default_rng([seed, zlib.crc32(degradation.encode())])
    scale = 1.0 if image.dtype == np.float32 else float(np.iinfo(image.dtype).max)
    damaged = _FUNCTIONS[degradation](image.astype(np.float32) / np.float32(scale), severity, Scene(rng, depth))
    damaged = np.clip(damaged, 0.0, 1.0)
    return damaged if scale == 1.0 else np.rint(damaged * scale).astype(image.dtype)


def degrade_pair(
    infrared: NDArray[Any],
    visible: NDArray[Any],
    severities: Mapping[str, float] | Iterable[tuple[str, float]],
    *,
    seed: int = 0,
    depth: FloatImage | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Damage a pair in several ways, in physical order.

    Args:
        infrared: (H, W), uint8, uint16 or float32 0..1.
        visible: (H, W, 3) RGB or (H, W), likewise.
        severities: degradation to severity 0..1; those left out are 0.
        seed: as in :func:`degrade`.
        depth: (H, W) metres, as in :func:`degrade`.

    Returns:
        The damaged infrared and visible pictures, of the given shapes and dtypes.
    """
    asked = dict(severities)
    if strange := set(asked) - set(DEGRADATIONS):
        raise UsageError(f"unknown degradation '{min(strange)}': choose from {', '.join(DEGRADATIONS)}")
    for name in PHYSICAL_ORDER:
        if severity := asked.get(name, 0.0):
            if name.startswith("visible."):
                visible = degrade(visible, name, severity, seed=seed, depth=depth)
            else:
                infrared = degrade(infrared, name, severity, seed=seed)
    return infrared, visible


def to_linear(image: FloatImage) -> FloatImage:
    """Display values 0..1 to linear light 0..1 (a plain 2.2 power, close enough to sRGB for damage)."""
    return np.power(np.maximum(image, 0.0), 2.2, dtype=np.float32)


def to_display(light: FloatImage) -> FloatImage:
    """Linear light to display values, clipped at 1: the inverse of :func:`to_linear`."""
    return np.power(np.clip(light, 0.0, 1.0), 1 / 2.2, dtype=np.float32)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatImage:
    return rng.standard_normal(shape, dtype=np.float32)


def _smooth_field(rng: np.random.Generator, height: int, width: int, cells: int) -> FloatImage:
    """A smooth random field of about ``cells`` bumps across, zero mean, about unit deviation, (H, W)."""
    coarse = _normal(rng, (cells + 2, cells + 2))
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _as_planes(image: FloatImage) -> FloatImage:
    return image if image.ndim == 3 else image[..., None]


def _low_light(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Fewer photons: exposure in linear light, shot and read noise, a crushed toe."""
    rng = scene.rng
    stops = severity * rng.uniform(2.5, 4.5)
    crush = 1.0 + severity * rng.uniform(0.0, 0.6)
    photons = 10.0 ** rng.uniform(3.0, 4.5)
    read = severity * rng.uniform(0.0, 0.004)
    light = to_linear(np.power(image, np.float32(crush))) * np.float32(2.0**-stops)
    noise = _normal(rng, image.shape) * np.sqrt(light * np.float32(severity / photons) + np.float32(read * 0.1) ** 2)
    return to_display(light + noise)


def _over_exposure(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Too many photons: gain in linear light, clipping, and the glow that a saturated sensor spreads."""
    rng = scene.rng
    light = to_linear(image) * np.float32(2.0 ** (severity * rng.uniform(1.5, 3.2)))
    lift = np.float32(severity * rng.uniform(0.0, 0.08))
    overflow = np.maximum(light - 1.0, 0.0)
    glow = cv2.GaussianBlur(np.minimum(overflow, 2.0), (0, 0), 6.0).reshape(light.shape)
    return to_display(light + np.float32(severity * rng.uniform(0.0, 0.15)) * glow) * (1 - lift) + lift


def _sensor_noise(image: FloatImage, severity: float, rng: np.random.Generator, strongest: float) -> FloatImage:
    """Read noise (even), shot noise (grows with the signal), in part blotchy as after demosaicing or compression."""
    sigma = np.float32(severity * strongest)
    shot_share, colour_share = rng.uniform(0.0, 0.7), rng.uniform(0.5, 1.0)
    planes = _as_planes(image)
    white = _normal(rng, planes.shape)
    common = _normal(rng, planes.shape[:2])[..., None]
    noise = np.float32(colour_share) * white + np.float32(np.sqrt(1 - colour_share**2)) * common
    if rng.random() < 0.3:
        blurred = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 0.9)).reshape(planes.shape)
        noise = blurred / max(float(blurred.std()), 1e-6) if blurred.size > 16 else noise
    level = np.sqrt((1 - shot_share) + shot_share * 2.0 * np.maximum(planes, 0.0), dtype=np.float32)
    return (planes + sigma * level * noise).reshape(image.shape)


def _visible_noise(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    rng = scene.rng
    return _sensor_noise(image, severity, rng, strongest=rng.uniform(0.12, 0.24))


def _infrared_noise(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Temporal noise, a faint fixed pattern, and dead pixels."""
    rng = scene.rng
    noisy = _sensor_noise(image, severity, rng, strongest=rng.uniform(0.12, 0.24))
    noisy = noisy + np.float32(severity * 0.02) * _smooth_field(rng, *image.shape[:2], cells=12)
    dead = rng.random(image.shape, dtype=np.float32) < severity * rng.uniform(0.0, 0.004)
    return np.where(dead, np.float32(rng.integers(0, 2)), noisy)


def plausible_depth(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    """A depth map for a picture that has none: far at the top, near at the bottom, with low-frequency relief.

    Returns:
        (H, W) metres, between 2 and :data:`FAR_DEPTH`.
    """
    slope = rng.uniform(0.3, 1.0)
    rows = np.linspace(1.0, 0.0, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    relief = 0.15 * _smooth_field(rng, height, width, cells=4)
    farness = np.clip(slope * rows + (1 - slope) * 0.6 + relief, 0.0, 1.0)
    return (2.0 + (FAR_DEPTH - 2.0) * farness**1.5).astype(np.float32)


def _haze(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """The atmospheric scattering model, I = J t + A (1 - t) with t = exp(-beta d) (Koschmieder 1924)."""
    rng = scene.rng
    planes = _as_planes(image)
    depth = plausible_depth(image.shape[0], image.shape[1], rng) if scene.depth is None else scene.depth
    distance = np.minimum(depth, FAR_DEPTH) / FAR_DEPTH
    beta = severity * rng.uniform(1.0, 2.4)
    even = rng.uniform(0.0, 0.6)
    transmission = np.exp(-np.float32(beta) * (even * 0.5 + (1 - even) * distance))[..., None].astype(np.float32)
    airlight = np.float32(rng.uniform(0.65, 0.95)) + rng.uniform(-0.03, 0.03, planes.shape[2]).astype(np.float32)
    return (planes * transmission + airlight * (1.0 - transmission)).reshape(image.shape)


def _streaks(
    rng: np.random.Generator, height: int, width: int, length: float, angle: float, density: float
) -> FloatImage:
    """One layer of rain streaks, 0..1, (H, W): sparse drops, smeared along the fall."""
    drops = (rng.random((height, width), dtype=np.float32) < density).astype(np.float32)
    drops *= rng.uniform(0.4, 1.0, (height, width)).astype(np.float32)
    kernel = _line_kernel(length, angle)
    layer = cv2.filter2D(drops, -1, kernel * np.float32(length), borderType=cv2.BORDER_REFLECT)
    return np.minimum(cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.45, 0.9)) * 1.6, 1.0)


def _rain(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Near and far streaks, brighter than the scene behind them, and the veil of the drops too far to be seen."""
    rng = scene.rng
    planes = _as_planes(image)
    height, width = image.shape[:2]
    angle = rng.normal(90.0, 15.0)
    brightness = rng.uniform(0.65, 0.95)
    rain = np.zeros((height, width), np.float32)
    for length, density in ((rng.uniform(9, 16), 0.008), (rng.uniform(18, 34), 0.003)):
        layer = _streaks(rng, height, width, length, angle + rng.normal(0, 3), density * rng.uniform(0.6, 1.6))
        rain = np.maximum(rain, layer)
    veil = np.float32(severity * rng.uniform(0.0, 0.2))
    opacity = np.clip(np.float32(severity * rng.uniform(0.7, 1.0)) * rain, 0.0, 1.0)[..., None]
    veiled = planes * (1 - veil) + np.float32(brightness * 0.8) * veil
    return (veiled * (1 - opacity) + np.float32(brightness) * opacity).reshape(image.shape)


def _line_kernel(length: float, angle: float) -> FloatImage:
    """An anti-aliased line of ``length`` pixels at ``angle`` degrees, sum 1, odd side."""
    side = 2 * int(np.ceil(length / 2)) + 3
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - side // 2
    direction = np.deg2rad(angle)
    along = columns * np.cos(direction) + rows * np.sin(direction)
    across = -columns * np.sin(direction) + rows * np.cos(direction)
    kernel = np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def _disk_kernel(radius: float) -> FloatImage:
    """An anti-aliased disk, sum 1, odd side: the point spread of a defocused lens."""
    side = 2 * int(np.ceil(radius)) + 3
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - side // 2
    kernel = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def _blur(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Defocus (disk), motion (line) or a soft lens (Gaussian)."""
    rng = scene.rng
    kind, strength, angle = rng.integers(3), rng.uniform(0.75, 1.25), rng.uniform(0, 180)
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), 2.4 * severity * strength).reshape(image.shape)
    kernel = _disk_kernel(3.6 * severity * strength) if kind == 1 else _line_kernel(1 + 11 * severity * strength, angle)
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT).reshape(image.shape)


def _infrared_low_contrast(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """A narrow span of the sensor's range in use, somewhere in the middle of it."""
    rng = scene.rng
    span = np.float32(1.0 - severity * rng.uniform(0.75, 0.95))
    narrow = (image - image.mean()) * span
    centre = float(image.mean()) + severity * rng.uniform(-0.15, 0.35)
    # The span is moved, not cut off: a flat picture is flat because nothing reaches the ends of the range.
    centre = min(max(centre, -float(narrow.min())), 1.0 - float(narrow.max()))
    return np.float32(centre) + narrow


def _stripes(image: FloatImage, severity: float, scene: Scene) -> FloatImage:
    """Column (sometimes row) offsets with slow drift along them, and uneven gain towards the corners."""
    rng = scene.rng
    by_rows = rng.random() < 0.25
    plane = image.T if by_rows else image
    height, width = plane.shape
    amplitude = np.float32(severity * rng.uniform(0.08, 0.18))
    offsets = _normal(rng, (width,))
    if rng.random() < 0.4:
        offsets *= rng.random(width) < rng.uniform(0.2, 0.6)
    drift = 1.0 + 0.3 * cv2.resize(_normal(rng, (4, width)), (width, height), interpolation=cv2.INTER_LINEAR)
    uneven = np.float32(severity * 0.03) * _smooth_field(rng, height, width, cells=1)
    striped = plane + amplitude * offsets[None, :] * drift + uneven
    return (striped.T if by_rows else striped).astype(np.float32)


_FUNCTIONS: dict[str, Degradation] = {
    "visible.low_light": _low_light,
    "visible.over_exposure": _over_exposure,
    "visible.noise": _visible_noise,
    "visible.haze": _haze,
    "visible.rain": _rain,
    "visible.blur": _blur,
    "infrared.low_contrast": _infrared_low_contrast,
    "infrared.noise": _infrared_noise,
    "infrared.stripes": _stripes,
}
