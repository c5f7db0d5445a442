"""The nine degradations by other formulas, for training alone: to know noise, rain or haze, not one way to write it.

:mod:`lexifuse.degradations` is what everything is measured by. A network that has only ever seen its rain takes other
rain for texture, so training may draw each degradation from here as often: display-referred curves, offsets and gains,
haze that is even or has the colour of the sky, swathes of fog, drawn lines and smeared specks, boxes, impulses,
compressed noise, periodic and multiplicative stripes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.degradations import PHYSICAL_ORDER, degrade

FloatImage = NDArray[Any]
Variant = Callable[[FloatImage, float, np.random.Generator], FloatImage]

_PIXELS_OF_RAIN = 700.0  # one streak for so many pixels at severity 1
_LARGEST_MOTION = 15


def degrade_pair_variously(
    infrared: FloatImage,
    visible: FloatImage,
    severities: Mapping[str, float],
    *,
    seed: int,
    depth: FloatImage | None,
    share: float,
) -> tuple[FloatImage, FloatImage]:
    """Damage a pair as :func:`lexifuse.degradations.degrade_pair` does, now and then by another formula.

    The formula of a degradation depends on the seed and its name alone, so that one that is left out of a second call
    changes nothing in the others.

    Args:
        infrared: (H, W) float32 in 0..1.
        visible: (H, W, 3) float32 in 0..1.
        severities: degradation to severity 0..1; those left out are 0.
        seed: the same seed gives the same damage.
        depth: (H, W) metres or None, for the formulas of :mod:`lexifuse.degradations`.
        share: how often a degradation is drawn from here, 0..1.

    Returns:
        The damaged infrared and visible pictures, float32 in 0..1.
    """
    for name in PHYSICAL_ORDER:
        severity = severities.get(name, 0.0)
        if not severity:
            continue
        image = visible if name.startswith("visible.") else infrared
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), 1])
        if rng.random() < share:
            kinds = VARIANTS[name]
            damaged = np.clip(kinds[int(rng.integers(len(kinds)))](image, severity, rng), 0.0, 1.0).astype(np.float32)
        else:
            damaged = degrade(image, name, severity, seed=seed, depth=depth if name.startswith("visible.") else None)
        if name.startswith("visible."):
            visible = damaged
        else:
            infrared = damaged
    return infrared, visible


def _normal(rng: np.random.Generator, *shape: int) -> FloatImage:
    return rng.standard_normal(shape, dtype=np.float32)


def _field(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    """A smooth random field, (H, W), about -1..1."""
    return cv2.resize(_normal(rng, 4, 4), (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(0.6)


def _gamma_dark(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    darker = np.power(image, np.float32(1 + severity * rng.uniform(0.8, 3.0)))
    return darker + np.float32(severity * rng.uniform(0, 0.02)) * _normal(rng, *image.shape)


def _scaled_dark(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image * np.float32(1 - severity * rng.uniform(0.55, 0.9))


def _unlit(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Lit by itself alone: dark where the surroundings are."""
    light = cv2.GaussianBlur(image.mean(axis=2), (0, 0), rng.uniform(8, 25))[..., None]
    return image * (1 - np.float32(severity) * (1 - np.clip(light, 0.05, 1.0) * np.float32(rng.uniform(0.4, 0.8))))


def _gamma_bright(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return np.power(image, np.float32(1 / (1 + severity * rng.uniform(0.4, 1.8))))


def _gain(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image * np.float32(1 + severity * rng.uniform(0.4, 1.4))


def _offset(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image + np.float32(severity * rng.uniform(0.15, 0.5))


def _even_noise(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image + np.float32(severity * rng.uniform(0.08, 0.2)) * _normal(rng, *image.shape)


def _coloured_noise(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Specks of colour, coarser than the pixels, under finer grain: a small sensor that was turned up."""
    specks = cv2.GaussianBlur(_normal(rng, *image.shape), (0, 0), rng.uniform(0.4, 1.5))
    specks /= max(float(specks.std()), 1e-6)
    grain = _normal(rng, *image.shape[:2])[..., None]
    return image + np.float32(severity * rng.uniform(0.04, 0.14)) * (specks + np.float32(rng.uniform(0, 0.8)) * grain)


def _counted_photons(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    photons = rng.uniform(12, 40) / max(severity, 0.05)
    return (rng.poisson(np.clip(image, 0, 1) * photons) / photons).astype(np.float32)


def _impulses(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Black and white pixels; of a colour picture now and then single colours of a pixel."""
    alike = image.ndim == 2 or rng.random() < 0.5
    shape = (*image.shape[:2], *([1] * (image.ndim - 2))) if alike else image.shape
    hit = rng.random(shape) < severity * rng.uniform(0.01, 0.06)
    return np.where(hit, (rng.random(shape) < rng.uniform(0.3, 0.7)).astype(np.float32), image)


def _compressed_noise(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    noisy = np.rint(np.clip(_even_noise(image, severity, rng), 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED), dtype=np.float32)
    return decoded / 255.0


def _speckle(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image * (1 + np.float32(severity * rng.uniform(0.15, 0.4)) * _normal(rng, *image.shape))


def _blotches(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    grain = cv2.GaussianBlur(_normal(rng, *image.shape), (0, 0), rng.uniform(0.7, 1.6))
    return image + np.float32(severity * rng.uniform(0.06, 0.14)) * grain / max(float(grain.std()), 1e-6)


def _veil(image: FloatImage, transmission: FloatImage | float, rng: np.random.Generator) -> FloatImage:
    airlight = np.float32(rng.uniform(0.7, 1.0)) + rng.uniform(-0.03, 0.03, 3).astype(np.float32)
    return (image * transmission + airlight * (1 - transmission)).astype(np.float32)


def _even_haze(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return _veil(image, 1 - severity * rng.uniform(0.4, 0.75), rng)


def _layered_haze(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    height, width = image.shape[:2]
    rows = np.linspace(1.0, rng.uniform(0.0, 0.5), height, dtype=np.float32)[:, None, None]
    thickness = rows + np.float32(rng.uniform(0, 0.4)) * _field(rng, height, width)[..., None]
    return _veil(image, np.exp(-np.float32(severity * rng.uniform(0.8, 2.2)) * np.clip(thickness, 0, 1.5)), rng)


def _skylit_haze(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Haze in the colour of the sky of the picture: where that is grey, grey is the sky and not what hides it."""
    height, width = image.shape[:2]
    light = image.mean(axis=2)
    sky = image[light >= np.quantile(light, rng.uniform(0.85, 0.97))].mean(axis=0)
    rows = np.linspace(1.0, rng.uniform(0.0, 0.5), height, dtype=np.float32)[:, None, None]
    thickness = rows + np.float32(rng.uniform(0, 0.2)) * _field(rng, height, width)[..., None]
    transmission = np.exp(-np.float32(severity * rng.uniform(0.8, 2.4)) * np.clip(thickness, 0, 1.5))
    return (image * transmission + sky * (1 - transmission)).astype(np.float32)


def _drifting_fog(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Swathes at all scales, thick here and thin there, whatever the distance."""
    thickness = np.clip(1 + np.float32(rng.uniform(0.8, 2.5)) * _swathes(rng, image), 0.1, 2.5)
    return _veil(image, np.exp(-np.float32(severity * rng.uniform(0.4, 1.2)) * thickness), rng)


def _shining_fog(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """As thick everywhere, and lit in swathes: white under a bright sky, grey or nearly black under a dark one."""
    light = np.clip(np.float32(rng.uniform(0.3, 0.85)) + np.float32(rng.uniform(0.2, 0.7)) * _swathes(rng, image), 0, 1)
    transmission = np.float32(1 - severity * rng.uniform(0.35, 0.85))
    return image * transmission + light * (1 - transmission)


def _swathes(rng: np.random.Generator, image: FloatImage) -> FloatImage:
    """A random field, (H, W, 1), about -1..1: the same at all scales, from cloudy to rough."""
    height, width = image.shape[:2]
    roughness = rng.uniform(0.5, 1.2)
    planes = (
        cv2.resize(_normal(rng, cells, cells), (width, height), interpolation=cv2.INTER_CUBIC)
        / np.float32(cells**roughness)
        for cells in (3, 6, 12, 24, 48, 96)
    )
    return np.asarray(sum(planes), np.float32)[..., None]


def _drawn_rain(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Lines, thin or thick, added to the picture or screened over it."""
    height, width = image.shape[:2]
    layer = np.zeros((height, width), np.float32)
    length, angle = rng.uniform(12, 70), np.deg2rad(rng.normal(90, 15))
    thickness = int(rng.choice([1, 1, 2, 3]))
    for _ in range(1 + int(severity * height * width / _PIXELS_OF_RAIN * rng.uniform(0.3, 1.2) / thickness)):
        x, y = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.2, 1.0) * height
        reach, lean = length * rng.uniform(0.6, 1.3), angle + rng.normal(0, 0.03)
        ends = (int(x), int(y)), (int(x + reach * np.cos(lean)), int(y + reach * np.sin(lean)))
        cv2.line(layer, *ends, float(rng.uniform(0.4, 1.0)), thickness, cv2.LINE_AA)
    return _lit_rain(image, cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.4, 1.0)), severity, rng)


def _smeared_rain(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Specks, smeared along the fall."""
    specks = (rng.random(image.shape[:2]) < severity * rng.uniform(0.004, 0.015)).astype(np.float32)
    layer = cv2.filter2D(specks, -1, _line(int(rng.integers(9, 31)), rng.normal(90, 15)) * rng.uniform(6, 14))
    return _lit_rain(image, np.clip(layer, 0, 1), severity, rng)


def _gloomy_rain(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Rain on a dim day, through wet air."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.3 + severity * rng.uniform(0, 0.9))
    dim = soft * np.float32(1 - severity * rng.uniform(0.1, 0.45))
    return (_drawn_rain if rng.random() < 0.5 else _smeared_rain)(dim, severity, rng)


def _lit_rain(image: FloatImage, layer: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    light = np.float32((0.4 + 0.6 * severity) * rng.uniform(0.4, 0.9)) * layer[..., None]
    veil = np.float32(severity * rng.uniform(0, 0.2))
    veiled = image * (1 - veil) + np.float32(0.75) * veil
    return veiled + light if rng.random() < 0.5 else 1 - (1 - veiled) * (1 - light)


def _line(side: int, degrees: float) -> FloatImage:
    """A line through the middle of a square kernel, sum 1, odd side."""
    side += 1 - side % 2
    kernel = np.zeros((side, side), np.float32)
    middle, reach = side // 2, side / 2
    offset = (reach * np.cos(np.deg2rad(degrees)), reach * np.sin(np.deg2rad(degrees)))
    ends = [(round(middle + sign * offset[0]), round(middle + sign * offset[1])) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
    return kernel / kernel.sum()


def _boxed(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    sides = [1 + 2 * int(severity * rng.uniform(0.6, 4.4)) for _ in range(2)]
    # Never a box of one pixel: what nothing was done to is not blurred.
    return cv2.blur(image, (max(3, sides[0]), sides[1]), borderType=cv2.BORDER_REFLECT)


def _shaken(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Motion and a soft lens at once."""
    side = max(3, round(severity * rng.uniform(0.4, 1.0) * _LARGEST_MOTION))
    moved = cv2.filter2D(image, -1, _line(side, rng.uniform(0, 180)), borderType=cv2.BORDER_REFLECT)
    return cv2.GaussianBlur(moved, (0, 0), 0.2 + severity * rng.uniform(0.2, 1.2))


def _flattened(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Contrast taken away around black, the middle of the range, or the picture's own mean."""
    around = np.float32(rng.choice([0.0, 0.5, float(image.mean())]))
    return around + (image - around) * np.float32(1 - severity * rng.uniform(0.5, 0.85))


def _squeezed(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """Between two grey levels, by a bent curve."""
    span = np.float32(1 - severity * rng.uniform(0.4, 0.8))
    return np.float32(rng.uniform(0, 1)) * (1 - span) + span * np.power(image, np.float32(rng.uniform(0.7, 1.3)))


def _offset_lines(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    """An offset for each column: normal, even, sparse or smooth."""
    width, strength = image.shape[1], severity * rng.uniform(0.06, 0.16)
    offsets = _normal(rng, 1, width)
    kind = rng.integers(4)
    if kind == 1:
        offsets = rng.uniform(-1.7, 1.7, (1, width)).astype(np.float32)
    elif kind == 2:
        offsets = 2.5 * offsets * (rng.random((1, width)) < rng.uniform(0.05, 0.2))
    elif kind == 3:
        offsets = 2.0 * cv2.blur(offsets, (int(rng.integers(2, 7)), 1))
    return image + np.float32(strength) * offsets


def _waves(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    columns = np.arange(image.shape[1], dtype=np.float32) * np.float32(2 * np.pi / rng.uniform(3, 14))
    return image + np.float32(severity * rng.uniform(0.05, 0.15)) * np.sin(columns + rng.uniform(0, 6.3))[None]


def _gain_lines(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
    return image * (1 + np.float32(severity * rng.uniform(0.1, 0.35)) * _normal(rng, 1, image.shape[1]))


def _turned(variant: Variant) -> Variant:
    """The same, along the rows in one of four."""

    def lines(image: FloatImage, severity: float, rng: np.random.Generator) -> FloatImage:
        if rng.random() < 0.25:
            return np.ascontiguousarray(variant(np.ascontiguousarray(image.T), severity, rng).T)
        return variant(image, severity, rng)

    return lines


VARIANTS: dict[str, tuple[Variant, ...]] = {
    "visible.low_light": (_gamma_dark, _scaled_dark, _unlit),
    "visible.over_exposure": (_gamma_bright, _gain, _offset),
    "visible.noise": (_even_noise, _coloured_noise, _counted_photons, _impulses, _compressed_noise),
    "visible.haze": (
        _even_haze,
        _layered_haze,
        _skylit_haze,
        _skylit_haze,
        _drifting_fog,
        _shining_fog,
        _shining_fog,
    ),
    "visible.rain": (_drawn_rain, _smeared_rain, _gloomy_rain, _gloomy_rain),
    "visible.blur": (_boxed, _shaken),
    "infrared.low_contrast": (_flattened, _squeezed),
    "infrared.noise": (_even_noise, _impulses, _speckle, _blotches),
    "infrared.stripes": tuple(_turned(variant) for variant in (_offset_lines, _offset_lines, _waves, _gain_lines)),
}
"""The other formulas of each degradation: ``(image, severity, rng) -> image`` on float32 in 0..1."""
