"""Draws what a scene is like before anything is painted: weather, light and warmth, the street, the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lexifuse.datasets._street.canvas import RGB, Camera

SKIN = 33.5
"""Temperature of uncovered skin in °C."""

_LAMPS: tuple[RGB, ...] = ((1.0, 0.62, 0.26), (1.0, 0.80, 0.55), (0.92, 0.97, 1.0), (0.78, 1.0, 0.86))


@dataclass(frozen=True)
class Conditions:
    """Time, weather, light and warmth of a scene.

    Attributes:
        time: "day", "dusk" or "night".
        air: temperature of the air in °C.
        overcast: 0 (clear) .. 1 (closed cloud).
        sun: unit vector towards the sun (x, y, z).
        sun_light: direct light, linear RGB.
        sky_light: light from the sky, linear RGB.
        sky_top: colour of the sky overhead, linear RGB.
        sky_low: colour of the sky at the horizon, linear RGB.
        lamp: colour of the street lamps.
        solar: °C that the sun has added to a black surface.
        stored: °C by which walls and asphalt are still warmer than the air.
        sky_temperature: apparent temperature of the sky overhead in °C.
        exposure: factor from linear light to the visible camera's response.
        visibility: distance in metres over which the air takes 63 % of the contrast.
        tint: white-balance error of the visible camera, RGB factors.
        wet: 0 (dry) .. 1 (mirror-wet) road.
    """

    time: str
    air: float
    overcast: float
    sun: tuple[float, float, float]
    sun_light: RGB
    sky_light: RGB
    sky_top: RGB
    sky_low: RGB
    lamp: RGB
    solar: float
    stored: float
    sky_temperature: float
    exposure: float
    visibility: float
    tint: RGB
    wet: float

    @property
    def dark(self) -> bool:
        """True when lamps are lit."""
        return self.time != "day"

    def clothing(self, warmth: float) -> float:
        """Temperature of clothes that let ``warmth`` (0 none .. 1 all) of the skin's through."""
        return self.air + warmth * (SKIN - self.air)


@dataclass(frozen=True)
class Street:
    """A street that leads away from the camera; positions across it are metres from its middle.

    Attributes:
        middle: where the middle of the road lies at the camera, in metres to its right.
        bend: curvature in 1/m; the middle moves by ``bend * z**2 / 2``.
        half: half the width of the carriageway.
        pavement: width of each pavement.
        sides: what stands to the left and right: "city", "houses" or "park".
        lane: width of a traffic lane.
        crossing: distance of a zebra crossing, or None.
        hand: +1 where traffic keeps to the right, -1 to the left.
        yellow: the middle line is yellow.
        parking: cars are parked along the left and right kerb.
    """

    middle: float
    bend: float
    half: float
    pavement: float
    sides: tuple[str, str]
    lane: float
    crossing: float | None
    hand: int
    yellow: bool
    parking: tuple[bool, bool]

    def centre(self, z: float) -> float:
        """World x of the middle of the road at distance ``z``."""
        return self.middle + self.bend * z * z / 2

    def edge(self, side: int) -> float:
        """Metres from the middle to where the pavement ends, signed by side (-1 left, +1 right)."""
        return side * (self.half + self.pavement)


def plan_conditions(rng: np.random.Generator, time: str) -> Conditions:
    """Draw weather, light and warmth for a time of day."""
    overcast = float(np.clip(rng.normal(0.45, 0.4), 0, 1))
    bearing, height = rng.uniform(-2.4, 2.4), math.radians(rng.uniform(28, 58))
    tint = rng.normal(1.0, 0.035 if time == "day" else 0.06, 3)
    lamp = _LAMPS[rng.choice(len(_LAMPS), p=(0.35, 0.3, 0.25, 0.1))]
    air = float(rng.uniform(2, 20))
    wet = float(rng.uniform(0.35, 1.0)) if rng.random() < 0.3 and overcast > 0.35 else 0.0
    sky = {"day": _day, "dusk": _dusk, "night": _night}[time]
    return Conditions(
        time=time,
        air=air,
        overcast=overcast,
        sun=(math.sin(bearing) * math.cos(height), math.sin(height), -math.cos(bearing) * math.cos(height)),
        lamp=lamp,
        tint=_rgb(tint),
        wet=wet,
        sky_temperature=air - 8 - 32 * (1 - overcast),
        **sky(rng, overcast, np.array(lamp)),
    )


def _day(rng: np.random.Generator, overcast: float, lamp: np.ndarray) -> dict[str, Any]:
    del lamp
    clear, grey = 1 - overcast, np.array([0.80, 0.86, 0.93])
    return {
        "sun_light": _rgb(np.array([2.3, 2.1, 1.8]) * clear**0.7),
        "sky_light": _rgb((np.array([0.45, 0.58, 0.80]) * clear + 1.25 * grey * overcast) * 0.95),
        "sky_top": _rgb(np.array([0.12, 0.27, 0.68]) * clear + 0.75 * grey * overcast),
        "sky_low": _rgb(np.array([0.62, 0.80, 1.02]) * clear + 0.95 * grey * overcast),
        "solar": 10 * clear,
        "stored": 1.0,
        "exposure": float(rng.uniform(1.2, 1.7)) * (1 + 0.25 * overcast),
        "visibility": float(rng.uniform(350, 1200)) * (1 - 0.5 * overcast),
    }


def _dusk(rng: np.random.Generator, overcast: float, lamp: np.ndarray) -> dict[str, Any]:
    del lamp
    glow = np.array([1.0, 0.55, 0.30]) * (1 - overcast) + np.array([0.60, 0.62, 0.72]) * overcast
    return {
        "sun_light": (0.0, 0.0, 0.0),
        "sky_light": _rgb(np.array([0.36, 0.40, 0.58]) * rng.uniform(0.55, 0.9)),
        "sky_top": _rgb(np.array([0.10, 0.15, 0.34]) * (0.7 + 0.5 * overcast)),
        "sky_low": _rgb(glow * rng.uniform(0.35, 0.6)),
        "solar": 0.0,
        "stored": 4.0,
        "exposure": float(rng.uniform(1.3, 1.8)),
        "visibility": float(rng.uniform(300, 700)),
    }


def _night(rng: np.random.Generator, overcast: float, lamp: np.ndarray) -> dict[str, Any]:
    moon = rng.uniform(0.012, 0.032)
    return {
        "sun_light": (0.0, 0.0, 0.0),
        "sky_light": _rgb(np.array([0.75, 0.85, 1.1]) * moon),
        "sky_top": _rgb(np.array([0.5, 0.65, 1.1]) * moon * 0.22),
        # Cloud throws the lamps' light back.
        "sky_low": _rgb((lamp * 0.5 + 0.25) * moon * (0.35 + 0.6 * overcast)),
        "solar": 0.0,
        "stored": float(rng.uniform(1.5, 4.0)),
        "exposure": float(rng.uniform(1.1, 1.6)),
        "visibility": float(rng.uniform(250, 600)),
    }


def plan_street(rng: np.random.Generator) -> Street:
    """Draw a street and where the camera stands on it."""
    hand = 1 if rng.random() < 0.6 else -1
    lanes = int(rng.choice((1, 1, 2)))
    lane = float(rng.uniform(2.9, 3.5))
    parking = (bool(rng.random() < 0.35), bool(rng.random() < 0.35))
    half = lanes * lane + (2.1 if any(parking) else 0.4)
    pavement = float(rng.uniform(2.2, 4.5))
    on_pavement = rng.random() < 0.25
    own = hand * (half + pavement * 0.4 if on_pavement else lane * (rng.integers(lanes) + 0.5))
    kinds = ("city", "houses", "park")
    sides = (str(rng.choice(kinds, p=(0.5, 0.25, 0.25))), str(rng.choice(kinds, p=(0.5, 0.25, 0.25))))
    return Street(
        middle=-float(own),
        bend=float(rng.normal(0, 1 / 900)),
        half=half,
        pavement=pavement,
        sides=sides,
        lane=lane,
        crossing=float(rng.uniform(9, 20)) if rng.random() < 0.45 else None,
        hand=hand,
        yellow=bool(rng.random() < 0.35),
        parking=parking,
    )


def plan_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    """Draw a camera: mostly at a car's or a walker's height, now and then on a mast."""
    mast = rng.random() < 0.18
    elevation = rng.uniform(3.5, 5.5) if mast else rng.uniform(1.4, 2.3)
    horizon = rng.uniform(0.2, 0.32) if mast else rng.uniform(0.38, 0.52)
    focal = rng.uniform(0.85, 1.2)
    return Camera(
        width=width,
        height=height,
        focal=float(focal * math.sqrt(height * width)),
        centre=float(width * rng.uniform(0.38, 0.62)),
        horizon=float(height * horizon),
        elevation=float(elevation),
    )


def _rgb(values: np.ndarray) -> RGB:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
