"""Draws the fronts of buildings flat: walls, windows, shops, doors, posters, and warmth behind the plaster."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lexifuse.datasets._street.canvas import RGB, Floats, noise_patch
from lexifuse.datasets._street.plan import Conditions

TEXELS = 18.0
"""Texels per metre of a facade drawn close by; a distant one takes fewer."""

_GROUND_FLOOR = 3.6

_WALLS: tuple[RGB, ...] = (
    (0.24, 0.12, 0.08), (0.30, 0.17, 0.11), (0.17, 0.09, 0.07),  # brick
    (0.46, 0.40, 0.31), (0.52, 0.49, 0.44), (0.42, 0.31, 0.20), (0.40, 0.27, 0.22),  # plaster
    (0.33, 0.33, 0.32), (0.24, 0.25, 0.26), (0.15, 0.16, 0.18),  # concrete and metal
)  # fmt: skip
_LIT: tuple[RGB, ...] = ((1.0, 0.66, 0.33), (1.0, 0.78, 0.50), (0.85, 0.95, 1.0), (1.0, 0.88, 0.66), (0.9, 1.0, 0.75))


@dataclass(frozen=True)
class Facade:
    """A flat front: layers of (h, w) or (h, w, 3) texels, top row first."""

    albedo: Floats
    emission: Floats
    temperature: Floats


class _Front:
    """A facade under construction: rectangles in metres from its lower left corner, each a numbered material."""

    def __init__(self, width: float, height: float, texels: float) -> None:
        self.width, self.height, self.texels = width, height, texels
        self.parts = np.zeros((max(2, round(height * texels)), max(2, round(width * texels))), np.uint8)
        self.table: list[tuple[float, ...]] = []

    def material(self, colour: RGB | np.ndarray, temperature: float, emission: RGB | np.ndarray = (0, 0, 0)) -> int:
        self.table.append((*map(float, colour), float(temperature), *map(float, emission)))
        return len(self.table) - 1

    def fill(self, part: int, left: float, bottom: float, width: float, height: float) -> None:
        rows, columns = self.parts.shape
        low, high = round(rows - bottom * self.texels), round(rows - (bottom + height) * self.texels)
        first, last = round(left * self.texels), round((left + width) * self.texels)
        self.parts[max(high, 0) : max(low, 0), max(first, 0) : max(min(last, columns), 0)] = part


def facade(
    rng: np.random.Generator,
    width: float,
    height: float,
    conditions: Conditions,
    style: RGB,
    *,
    shown: float,
    texels: float = TEXELS,
) -> Facade:
    """Draw the lowest ``shown`` metres of a front of ``width`` by ``height`` metres in a wall colour.

    Windows stand in rows; some are lit when it is dark, and to the thermal camera they are panes of cold sky.
    """
    front = _Front(width, min(height, shown), texels)
    air, dark = conditions.air, conditions.dark
    wall_warmth = air + conditions.stored * rng.uniform(0.5, 1.2)
    wall = front.material(style, wall_warmth)
    front.parts[:] = wall
    base = front.material(np.array(style) * rng.uniform(0.5, 0.85), wall_warmth + 0.8)
    edge = front.material(np.clip(np.array(style) * 1.3 + 0.03, 0, 0.8), wall_warmth - 0.5)
    ground = _GROUND_FLOOR
    front.fill(base, 0, 0, width, min(ground, height))
    front.fill(edge, 0, ground - 0.1, width, 0.22)
    front.fill(edge, 0, height - 0.45, width, 0.45)
    front.fill(base, 0, height - 0.55, width, 0.1)
    storey = float(rng.uniform(2.9, 3.5))
    panes = _panes(front, rng, conditions)
    frame = front.material(rng.choice([(0.62, 0.62, 0.60), (0.12, 0.12, 0.13), (0.25, 0.17, 0.11)]), wall_warmth + 1.0)
    reveal = front.material(np.array(style) * 0.35, wall_warmth + 1.2)
    _windows(front, rng, height, storey, (panes, frame, reveal, edge), 0.32 if dark else 0.05)
    if rng.random() < 0.6:
        _shops(front, rng, conditions, panes, frame)
    else:
        _doors(front, rng, conditions, panes, frame, reveal)
    return _finish(front, rng, storey, dark=dark)


def _panes(front: _Front, rng: np.random.Generator, conditions: Conditions) -> list[int]:
    """Glass, dark first (four kinds), then lit (six kinds)."""
    cold = conditions.air + 0.22 * (conditions.sky_temperature - conditions.air)
    sky = np.array(conditions.sky_light) * (0.30 if conditions.time == "day" else 0.10)
    kinds = [
        front.material(np.full(3, rng.uniform(0.03, 0.10)), cold + rng.normal(0, 1), sky * rng.uniform(0.3, 1.0))
        for _ in range(3)
    ]
    kinds.append(front.material((0.30, 0.28, 0.25), cold + 1.5))
    for _ in range(6):
        glow = np.array(_LIT[rng.integers(len(_LIT))]) * rng.uniform(0.18, 1.3)
        kinds.append(front.material((0.2, 0.18, 0.15), cold + rng.uniform(0.5, 3.0), glow))
    return kinds


def _windows(
    front: _Front,
    rng: np.random.Generator,
    height: float,
    storey: float,
    kinds: tuple[list[int], int, int, int],
    lit_share: float,
) -> None:
    ground = _GROUND_FLOOR
    panes, frame, reveal, sill = kinds
    bay = float(rng.uniform(1.9, 3.6))
    columns = max(1, int((front.width - 0.6) / bay))
    margin = (front.width - columns * bay) / 2
    wide, tall = bay * rng.uniform(0.42, 0.72), float(rng.uniform(1.2, 1.9))
    bars, balcony = int(rng.integers(0, 3)), rng.random() < 0.25
    for level in range(max(0, int((height - ground - 0.5) / storey))):
        if ground + level * storey > front.height:
            break
        bottom = ground + level * storey + 0.85
        for column in range(columns):
            left = margin + column * bay + (bay - wide) / 2
            lit = rng.random() < lit_share
            pane = panes[rng.integers(4, 10) if lit else rng.choice(4, p=(0.32, 0.28, 0.25, 0.15))]
            front.fill(reveal, left - 0.05, bottom - 0.04, wide + 0.1, tall + 0.12)
            front.fill(frame, left, bottom, wide, tall)
            front.fill(pane, left + 0.06, bottom + 0.06, wide - 0.12, tall - 0.12)
            if not lit and rng.random() < 0.25:
                front.fill(panes[3], left + 0.06, bottom + tall * 0.5, wide - 0.12, tall * 0.5 - 0.06)
            if bars > 0:
                front.fill(frame, left + wide / 2 - 0.03, bottom, 0.06, tall)
            if bars > 1:
                front.fill(frame, left, bottom + tall * 0.66, wide, 0.06)
            front.fill(sill, left - 0.1, bottom - 0.12, wide + 0.2, 0.12)
            if balcony and column % 2 == 0:
                front.fill(reveal, left - 0.3, bottom - 0.95, wide + 0.6, 0.12)
                for post in np.arange(left - 0.3, left + wide + 0.3, 0.14):
                    front.fill(reveal, post, bottom - 0.85, 0.04, 0.95)


def _shops(front: _Front, rng: np.random.Generator, conditions: Conditions, panes: list[int], frame: int) -> None:
    left = 0.4
    while left < front.width - 2.5:
        wide = float(min(rng.uniform(2.6, 5.0), front.width - left - 0.4))
        open_now = rng.random() < (0.45 if conditions.dark else 0.3)
        colour = np.clip(rng.dirichlet((0.8, 0.8, 0.8)) * 0.75, 0.02, 0.6)
        glow = colour * (1.4 if conditions.dark and rng.random() < 0.6 else 0)
        sign = front.material(colour, conditions.air + conditions.stored * 0.6, glow)
        letters = front.material(
            (0.75, 0.75, 0.7), conditions.air + conditions.stored * 0.6, (0, 0, 0) if not glow.any() else (1, 1, 0.9)
        )
        front.fill(frame, left, 0.25, wide, 2.5)
        pane = panes[rng.integers(4, 10)] if open_now and conditions.dark else panes[rng.integers(0, 3)]
        count = max(1, round(wide / 1.3))
        for number in range(count):
            front.fill(pane, left + 0.07 + number * wide / count, 0.45, wide / count - 0.14, 2.2)
        front.fill(sign, left, 2.8, wide, 0.6)
        place = left + 0.4
        while place < left + wide - 0.6:  # a line of made-up writing
            step = float(rng.uniform(0.10, 0.28))
            front.fill(letters, place, 2.95, step, 0.3)
            front.fill(sign, place + step * 0.35, rng.uniform(2.95, 3.15), step * 0.35, 0.1)
            place += step + 0.08
        left += wide + float(rng.uniform(0.3, 1.5))


def _doors(
    front: _Front, rng: np.random.Generator, conditions: Conditions, panes: list[int], frame: int, reveal: int
) -> None:
    door = front.material(
        np.array([(0.22, 0.08, 0.05), (0.05, 0.10, 0.09), (0.10, 0.10, 0.12)])[rng.integers(3)], conditions.air + 2
    )
    left = 0.8
    while left < front.width - 1.8:
        if rng.random() < 0.3:
            front.fill(reveal, left - 0.08, 0.0, 1.26, 2.4)
            front.fill(door, left, 0.0, 1.1, 2.3)
            left += 2.2
        else:
            pane = panes[rng.integers(4, 10)] if conditions.dark and rng.random() < 0.3 else panes[rng.integers(4)]
            front.fill(frame, left, 1.0, 1.3, 1.7)
            front.fill(pane, left + 0.07, 1.07, 1.16, 1.56)
            front.fill(frame, left + 0.62, 1.0, 0.06, 1.7)
            left += float(rng.uniform(2.0, 3.2))


def _finish(front: _Front, rng: np.random.Generator, storey: float, *, dark: bool) -> Facade:
    """Turn parts into layers; add stains, posters for the eye, and warmth that only the thermal camera sees."""
    shape = front.parts.shape
    layers = np.take(np.array(front.table, np.float32), front.parts, axis=0)
    albedo, temperature, emission = layers[..., :3], layers[..., 3], layers[..., 4:7]
    step = TEXELS / front.texels
    stains = noise_patch(rng, 1.5, shape, (1.2 * step, 3.0 * step))
    fine = noise_patch(rng, 0.0, shape, (5.0 * step, 1.6 * step))
    if dark:  # rooms are not evenly lit
        emission *= np.clip(1 + 0.35 * noise_patch(rng, 0.9, shape, step), 0.2, 2)[..., None]
    # Dirt runs down from the eaves and splashes up from the street.
    y = np.linspace(front.height, 0, shape[0], dtype=np.float32)[:, None]
    dirt = 1 - 0.22 * np.exp(-y / 0.8) - 0.12 * np.exp(-(front.height - y) / 1.2)
    albedo *= ((1 + 0.09 * stains + 0.07 * fine) * dirt)[..., None]
    temperature += 0.5 * stains + 0.12 * fine - 0.06 * y
    slabs = np.exp(-((((y - _GROUND_FLOOR) % storey) / 0.25) ** 2))
    temperature += 0.7 * slabs * (y > 3.0)
    for _ in range(rng.integers(0, 4)):
        _hidden_warmth(front, temperature, rng)
    for _ in range(rng.integers(0, 3)):
        _poster(front, albedo, temperature, emission, rng)
    return Facade(np.clip(albedo, 0.01, 0.85), emission, temperature)


def _hidden_warmth(front: _Front, temperature: Floats, rng: np.random.Generator) -> None:
    """A heating pipe inside the wall, or a leaking vent: nothing to see by eye."""
    rows, columns = temperature.shape
    x = np.arange(columns, dtype=np.float32)[None, :] / front.texels - rng.uniform(0, front.width)
    y = np.arange(rows, dtype=np.float32)[:, None] / front.texels - rng.uniform(0.4, 1.0) * front.height
    if rng.random() < 0.5:
        temperature += rng.uniform(2, 6) * np.exp(-((x / rng.uniform(0.07, 0.15)) ** 2)) * (y < 0)
    else:
        temperature += rng.uniform(4, 14) * np.exp(
            -((x / 0.5) ** 2) - (np.minimum(y, 0) / 1.4) ** 2 - (np.maximum(y, 0) / 0.25) ** 2
        )


def _poster(front: _Front, albedo: Floats, temperature: Floats, emission: Floats, rng: np.random.Generator) -> None:
    """A printed sheet: bright to the eye, one even temperature to the thermal camera."""
    wide, tall = float(rng.uniform(0.8, 2.4)), float(rng.uniform(1.0, 1.8))
    left = float(rng.uniform(0, max(0.1, front.width - wide)))
    rows = albedo.shape[0]
    box = (
        slice(max(0, round(rows - (0.9 + tall) * front.texels)), round(rows - 0.9 * front.texels)),
        slice(round(left * front.texels), round((left + wide) * front.texels)),
    )
    sheet = albedo[box]
    if sheet.shape[0] < 8 or sheet.shape[1] < 8:
        return
    sheet[:] = printed(rng, sheet.shape[:2])
    temperature[box] = temperature[box].mean()
    emission[box] = 0


def printed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """A made-up print (h, w, 3): a coloured ground, blocks, discs and lines of writing."""
    height, width = shape
    ground = rng.uniform(0.03, 0.7, 3)
    sheet = np.empty((height, width, 3), np.float32)
    sheet[:] = ground
    for _ in range(rng.integers(2, 5)):
        colour = tuple(float(value) for value in rng.dirichlet((0.7, 0.7, 0.7)) * rng.uniform(0.2, 1.3))
        if rng.random() < 0.5:
            centre = int(rng.integers(width)), int(rng.integers(height))
            cv2.circle(sheet, centre, int(rng.integers(2, max(3, min(shape) // 2))), colour, -1)
        else:
            corner = int(rng.integers(width)), int(rng.integers(height))
            cv2.rectangle(sheet, corner, (corner[0] + width // 2, corner[1] + height // 4), colour, -1)
    ink = tuple(float(value) for value in (0.85 - ground).clip(0.03, 0.8))
    line = max(2, height // 14)
    for row in range(int(height * rng.uniform(0.1, 0.6)), height - line, line * 2):
        place = width // 10
        while place < width * 0.85:
            step = int(rng.integers(line, line * 3))
            cv2.rectangle(sheet, (place, row), (min(place + step, int(width * 0.9)), row + line - 1), ink, -1)
            place += step + max(1, line // 2)
    cv2.rectangle(sheet, (0, 0), (width - 1, height - 1), (0.6, 0.6, 0.6), max(1, line // 3))
    return np.clip(sheet, 0.02, 0.85)


def wall_colour(rng: np.random.Generator) -> RGB:
    """A wall's linear RGB: brick, plaster, concrete or metal."""
    base = np.array(_WALLS[rng.integers(len(_WALLS))]) * rng.uniform(0.75, 1.25) * rng.normal(1, 0.06, 3)
    red, green, blue = (float(value) for value in np.clip(base, 0.03, 0.7))
    return red, green, blue
