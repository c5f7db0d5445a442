"""Draws people who stand and walk, people on bicycles, and dogs, as jointed figures of round limbs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lexifuse.datasets._street.canvas import RGB, Canvas, Sprite
from lexifuse.datasets._street.painter import Material, Painter
from lexifuse.datasets._street.plan import SKIN, Conditions

_SKINS: tuple[RGB, ...] = (
    (0.56, 0.36, 0.26),
    (0.47, 0.29, 0.19),
    (0.33, 0.19, 0.12),
    (0.19, 0.10, 0.06),
    (0.62, 0.42, 0.32),
)
_HAIR: tuple[RGB, ...] = (
    (0.02, 0.017, 0.015),
    (0.06, 0.035, 0.02),
    (0.14, 0.08, 0.04),
    (0.30, 0.22, 0.11),
    (0.35, 0.34, 0.33),
)
_CLOTHES: tuple[RGB, ...] = (
    (0.02, 0.02, 0.025), (0.04, 0.045, 0.06), (0.03, 0.05, 0.12), (0.10, 0.12, 0.16), (0.20, 0.20, 0.20),
    (0.55, 0.54, 0.50), (0.30, 0.04, 0.03), (0.09, 0.02, 0.03), (0.05, 0.14, 0.08), (0.35, 0.26, 0.14),
    (0.50, 0.34, 0.05), (0.10, 0.22, 0.36), (0.36, 0.20, 0.22), (0.65, 0.62, 0.58),
)  # fmt: skip
_TROUSERS: tuple[RGB, ...] = (
    (0.02, 0.02, 0.03), (0.05, 0.07, 0.13), (0.09, 0.12, 0.19),
    (0.12, 0.11, 0.10), (0.30, 0.25, 0.17), (0.04, 0.04, 0.04),
)  # fmt: skip


@dataclass(frozen=True)
class _Outfit:
    """Material numbers of a dressed figure."""

    skin: int
    hair: int
    top: int
    sleeve: int
    legs: int
    shoe: int
    bag: int


class _Body:
    """Body coordinates in metres (x to the picture's right, y up from the ground) on a plane facing the camera."""

    def __init__(self, canvas: Canvas, x: float, z: float, reach: float, height: float) -> None:
        self.painter = Painter(canvas, [(x - reach, -0.05, z), (x + reach, height, z)])
        self.scale = canvas.camera.scale(z)
        self.x, self.z = x, z

    def at(self, points: object) -> np.ndarray:
        xy = np.asarray(points, np.float64)
        world = np.stack([xy[..., 0] + self.x, xy[..., 1], np.full(xy.shape[:-1], self.z)], axis=-1)
        return self.painter.camera.project(world)

    def limb(self, points: list[tuple[float, float]], radii: list[float], part: int) -> None:
        self.painter.limb(self.at(points), np.array(radii) * self.scale, part)

    def shape(self, points: list[tuple[float, float]], part: int, relief: int | None = None) -> None:
        self.painter.polygon(self.at(points), part, relief)

    def disc(self, centre: tuple[float, float], radius: float, part: int, aspect: float = 1.0) -> None:
        self.painter.disc(self.at(centre), radius * self.scale, part, aspect)

    def line(self, points: list[tuple[float, float]], thickness: float, part: int) -> None:
        self.painter.line(self.at(points), thickness * self.scale, part)


def person(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """Someone who walks or stands at ground point (x, z); None when outside the frame."""
    height = float(np.clip(rng.normal(1.70, 0.09), 1.35, 1.92))
    body = _Body(canvas, x, z, 0.75, height + 0.1)
    if not body.painter.visible:
        return None
    outfit = _dress(body.painter, rng, conditions)
    sideways = rng.random() < 0.5
    stride = float(rng.uniform(0.15, 0.45)) * (rng.random() < 0.8)
    turn = 1 if rng.random() < 0.5 else -1
    if sideways:
        _walk_across(body, rng, outfit, height, turn, stride)
    else:
        _walk_along(body, rng, outfit, height, stride * turn, away=rng.random() < 0.5)
    return body.painter.sprite(rng, z, light=conditions.sun[0], roundness=0.055 * height * body.scale)


def _dress(painter: Painter, rng: np.random.Generator, conditions: Conditions) -> _Outfit:
    def cloth(colours: tuple[RGB, ...], low: float, high: float) -> int:
        colour = np.clip(np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.8, 1.3), 0.012, 0.75)
        warm = conditions.clothing(float(rng.uniform(low, high)))
        return painter.material(Material(_triple(colour), warm, grain=0.12, warmth=1.1))

    skin = painter.material(Material(_SKINS[rng.integers(len(_SKINS))], SKIN + float(rng.normal(0, 0.5)), warmth=0.4))
    hair = painter.material(Material(_HAIR[rng.integers(len(_HAIR))], conditions.clothing(0.68), grain=0.2, warmth=0.7))
    bare = 0.12 if conditions.air < 12 else 0.45
    top = cloth(_CLOTHES, 0.42, 0.70)
    return _Outfit(
        skin=skin,
        hair=hair,
        top=top,
        sleeve=skin if rng.random() < bare else top,
        legs=skin if rng.random() < bare * 0.5 else cloth(_TROUSERS, 0.42, 0.68),
        shoe=cloth(((0.03, 0.03, 0.03), (0.5, 0.5, 0.48), (0.12, 0.07, 0.04)), 0.25, 0.5),
        bag=cloth(_CLOTHES, 0.08, 0.25),
    )


def _joint(start: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)


def _leg(body: _Body, outfit: _Outfit, h: float, hip: tuple[float, float], swing: float, turn: int, cover: int) -> None:
    bend = 0.12 + max(0.0, -swing) * 0.9
    knee = _joint(hip, turn * swing, 0.245 * h)
    ankle = _joint(knee, turn * (swing - bend), 0.235 * h)
    lift = max(0.03 * h - ankle[1], 0.0)
    knee, ankle = (knee[0], knee[1] + lift * 0.5), (ankle[0], ankle[1] + lift)
    toe = (ankle[0] + turn * 0.09 * h, ankle[1] - 0.022 * h)
    body.limb([(ankle[0] - turn * 0.02 * h, ankle[1] - 0.014 * h), toe], [0.021 * h, 0.014 * h], outfit.shoe)
    body.limb([hip, knee, ankle], [0.056 * h, 0.037 * h, 0.024 * h], cover)
    if cover == outfit.skin:
        body.limb([hip, knee], [0.060 * h, 0.050 * h], outfit.top)


def _arm(body: _Body, outfit: _Outfit, h: float, shoulder: tuple[float, float], swing: float, turn: int) -> None:
    elbow = _joint(shoulder, turn * swing, 0.17 * h)
    wrist = _joint(elbow, turn * (swing + 0.35), 0.145 * h)
    hand = _joint(wrist, turn * (swing + 0.35), 0.045 * h)
    body.limb([shoulder, elbow], [0.032 * h, 0.026 * h], outfit.top)
    body.limb([elbow, wrist], [0.026 * h, 0.019 * h], outfit.sleeve)
    body.limb([wrist, hand], [0.018 * h, 0.015 * h], outfit.skin)


def _walk_across(body: _Body, rng: np.random.Generator, outfit: _Outfit, h: float, turn: int, stride: float) -> None:
    """Seen from the side, walking towards the picture's right (``turn`` +1) or left."""
    hip, lean = (0.0, 0.50 * h), 0.02 * h * turn
    shoulder = (lean, 0.80 * h)
    _arm(body, outfit, h, shoulder, 1.3 * stride, turn)
    _leg(body, outfit, h, hip, -stride, turn, outfit.legs)
    _leg(body, outfit, h, hip, stride, turn, outfit.legs)
    coat = float(rng.choice((0.46, 0.46, 0.40, 0.28))) * h
    front, back = turn * 0.075 * h, -turn * 0.07 * h
    body.shape(
        [
            (lean + back * 0.75, 0.83 * h), (lean + front * 0.5, 0.835 * h), (lean + front * 1.1, 0.72 * h),
            (front, 0.60 * h), (front * 1.08, coat), (back * 1.12, coat), (back * 0.95, 0.62 * h),
            (lean + back * 1.2, 0.74 * h),
        ],
        outfit.top,
    )  # fmt: skip
    if rng.random() < 0.35:
        body.disc((lean + back * 1.45, 0.70 * h), 0.10 * h, outfit.bag, 0.5)
    _head(body, rng, outfit, h, lean * 1.4, turn)
    _arm(body, outfit, h, shoulder, -1.3 * stride, turn)


def _walk_along(body: _Body, rng: np.random.Generator, outfit: _Outfit, h: float, stride: float, *, away: bool) -> None:
    """Seen from the front or (``away``) from behind; the foot that is lifted looks higher."""
    for side in (-1, 1):
        raised = max(0.0, side * stride) * 0.22 * h
        hip = (side * 0.052 * h, 0.50 * h)
        knee, ankle = (side * 0.056 * h, 0.27 * h + raised * 0.5), (side * 0.05 * h, 0.045 * h + raised)
        body.limb(
            [(ankle[0], ankle[1] - 0.012 * h), (ankle[0] + side * 0.012 * h, ankle[1] - 0.026 * h)],
            [0.024 * h] * 2,
            outfit.shoe,
        )
        body.limb([hip, knee, ankle], [0.060 * h, 0.042 * h, 0.029 * h], outfit.legs)
        if outfit.legs == outfit.skin:
            body.limb([hip, knee], [0.066 * h, 0.056 * h], outfit.top)
    for side in (-1, 1):
        shoulder = (side * 0.108 * h, 0.795 * h)
        elbow = (side * (0.135 + 0.02 * stride) * h, 0.63 * h)
        wrist = (side * 0.125 * h, (0.50 + 0.10 * max(0.0, -side * stride)) * h)
        body.limb([shoulder, elbow], [0.036 * h, 0.029 * h], outfit.top)
        body.limb([elbow, wrist], [0.028 * h, 0.021 * h], outfit.sleeve)
        body.limb([wrist, (wrist[0], wrist[1] - 0.04 * h)], [0.02 * h, 0.016 * h], outfit.skin)
    coat = float(rng.choice((0.47, 0.47, 0.42, 0.30))) * h
    half = [
        (0.035 * h, 0.845 * h), (0.105 * h, 0.825 * h), (0.120 * h, 0.77 * h), (0.098 * h, 0.66 * h),
        (0.092 * h, 0.60 * h), (0.105 * h, 0.50 * h), (0.108 * h, coat),
    ]  # fmt: skip
    body.shape(half + [(-px, py) for px, py in reversed(half)], outfit.top)
    if away and rng.random() < 0.4:
        body.shape(
            [(-0.085 * h, 0.80 * h), (0.085 * h, 0.80 * h), (0.09 * h, 0.58 * h), (-0.09 * h, 0.58 * h)], outfit.bag
        )
    _head(body, rng, outfit, h, 0.0, 0, away=away)


def _head(
    body: _Body, rng: np.random.Generator, outfit: _Outfit, h: float, x: float, turn: int, *, away: bool = False
) -> None:
    body.limb([(x, 0.83 * h), (x, 0.90 * h)], [0.032 * h, 0.030 * h], outfit.skin)
    body.disc((x, 0.925 * h), 0.068 * h, outfit.hair if away else outfit.skin, 0.76)
    long_hair = rng.random() < 0.4
    if away:
        if long_hair:
            body.shape(
                [(-0.05 * h, 0.94 * h), (0.05 * h, 0.94 * h), (0.055 * h, 0.80 * h), (-0.055 * h, 0.80 * h)],
                outfit.hair,
            )
        return
    cap = [(math.cos(a) * 0.054 * h, math.sin(a) * 0.062 * h) for a in np.linspace(0.25, math.pi - 0.25, 9)]
    body.shape([(x + px - turn * 0.006 * h, 0.937 * h + py) for px, py in cap], outfit.hair)
    if turn:  # hair covers the back of a head that is seen from the side
        body.disc((x - turn * 0.028 * h, 0.935 * h), 0.050 * h, outfit.hair, 0.62)
        if long_hair:
            body.limb(
                [(x - turn * 0.035 * h, 0.93 * h), (x - turn * 0.05 * h, 0.82 * h)], [0.035 * h, 0.028 * h], outfit.hair
            )
    elif long_hair:
        for side in (-1, 1):
            body.limb(
                [(x + side * 0.045 * h, 0.94 * h), (x + side * 0.052 * h, 0.83 * h)],
                [0.018 * h, 0.016 * h],
                outfit.hair,
            )


def cyclist(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """Someone riding a bicycle across the view or along it; None when outside the frame."""
    body = _Body(canvas, x, z, 1.15, 1.85)
    painter = body.painter
    if not painter.visible:
        return None
    outfit = _dress(painter, rng, conditions)
    colour = np.clip(np.array(_CLOTHES[rng.integers(len(_CLOTHES))]) * 1.2, 0.02, 0.7)
    frame = painter.material(Material(_triple(colour), conditions.air - 0.5))
    tyre = painter.material(Material((0.025, 0.025, 0.025), conditions.air + 2.5))
    lamp_light = (3.0, 2.9, 2.6) if conditions.dark else (0.0, 0.0, 0.0)
    lamp = painter.material(Material((0.6, 0.6, 0.6), conditions.air + 3, lamp_light))
    tail = painter.material(
        Material((0.4, 0.02, 0.02), conditions.air + 1, (1.6, 0.05, 0.04) if conditions.dark else (0, 0, 0))
    )
    if rng.random() < 0.55:
        _ride_across(body, rng, outfit, 1 if rng.random() < 0.5 else -1, (frame, tyre, lamp, tail))
    else:
        _ride_along(body, rng, outfit, (frame, tyre, lamp, tail), away=rng.random() < 0.5)
    return painter.sprite(rng, z, light=conditions.sun[0], roundness=0.09 * body.scale)


def _ride_across(
    body: _Body, rng: np.random.Generator, outfit: _Outfit, turn: int, kit: tuple[int, int, int, int]
) -> None:
    frame, tyre, lamp, tail = kit

    def p(px: float, py: float) -> tuple[float, float]:
        return turn * px, py

    crank, seat, head = p(-0.05, 0.30), p(-0.20, 0.92), p(0.38, 0.90)
    phase = float(rng.uniform(0, 2 * math.pi))
    pedals = [(crank[0] + turn * 0.16 * math.cos(a), crank[1] + 0.16 * math.sin(a)) for a in (phase, phase + math.pi)]
    hip, shoulder = p(-0.20, 0.99), p(0.10, 1.42)

    def leg(pedal: tuple[float, float]) -> None:
        knee = ((hip[0] + pedal[0]) / 2 + turn * 0.17, (hip[1] + pedal[1]) / 2 + 0.10)
        body.limb([pedal, (pedal[0] + turn * 0.13, pedal[1])], [0.035, 0.024], outfit.shoe)
        body.limb([hip, knee, (pedal[0], pedal[1] + 0.05)], [0.10, 0.065, 0.043], outfit.legs)

    leg(pedals[1])
    for wheel in (-0.53, 0.53):
        ring = [(wheel * turn + 0.33 * math.cos(a), 0.34 + 0.33 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 28)]
        body.line(ring, 0.05, tyre)
        body.disc((wheel * turn, 0.34), 0.035, frame)
    for path in (
        [p(-0.53, 0.34), crank, p(0.36, 0.80), p(-0.16, 0.80), p(-0.53, 0.34)],
        [crank, seat],
        [p(0.53, 0.34), head, p(0.36, 1.02), p(0.30, 1.06)],
    ):
        body.line(path, 0.04, frame)
    body.limb([p(-0.32, 0.93), p(-0.08, 0.93)], [0.045, 0.025], tyre)
    body.disc(p(0.46, 0.92), 0.045, lamp)
    body.disc(p(-0.36, 0.80), 0.035, tail)
    leg(pedals[0])
    body.shape(
        [p(-0.32, 0.95), p(-0.06, 0.93), p(0.05, 1.15), p(0.19, 1.36), p(0.13, 1.48), p(-0.02, 1.47), p(-0.24, 1.22)],
        outfit.top,
    )
    _helmeted(body, outfit, (turn * 0.20, 1.60), turn)
    elbow = p(0.24, 1.16)
    body.limb([shoulder, elbow], [0.062, 0.048], outfit.top)
    body.limb([elbow, p(0.36, 1.06)], [0.045, 0.035], outfit.sleeve)
    body.disc(p(0.36, 1.05), 0.04, outfit.skin)


def _ride_along(
    body: _Body, rng: np.random.Generator, outfit: _Outfit, kit: tuple[int, int, int, int], *, away: bool
) -> None:
    frame, tyre, lamp, tail = kit
    body.limb([(0.0, 0.05), (0.0, 0.64)], [0.032, 0.032], tyre)
    body.line([(0.0, 0.6), (0.0, 1.02)], 0.05, frame)
    rise = float(rng.uniform(-0.14, 0.14))
    for side in (-1, 1):
        foot = (side * 0.13, 0.28 + side * rise)
        knee = (side * 0.19, 0.66 + side * rise * 0.7)
        body.limb([foot, (foot[0], foot[1] - 0.05)], [0.05, 0.045], outfit.shoe)
        body.limb([(side * 0.11, 0.97), knee, (foot[0], foot[1] + 0.05)], [0.11, 0.075, 0.05], outfit.legs)
    body.line([(-0.29, 1.06), (0.29, 1.06)], 0.045, frame)
    half = [(0.06, 1.50), (0.18, 1.46), (0.21, 1.34), (0.17, 1.12), (0.17, 0.93)]
    body.shape(half + [(-px, py) for px, py in reversed(half)], outfit.top)
    for side in (-1, 1):
        body.limb([(side * 0.19, 1.42), (side * 0.29, 1.22)], [0.06, 0.05], outfit.top)
        body.limb([(side * 0.29, 1.22), (side * 0.27, 1.08)], [0.045, 0.036], outfit.sleeve)
        body.disc((side * 0.27, 1.06), 0.042, outfit.skin)
    body.disc((0.0, 0.84), 0.05, tail if away else lamp)
    _helmeted(body, outfit, (0.0, 1.63), 0, away=away)


def _helmeted(body: _Body, outfit: _Outfit, centre: tuple[float, float], turn: int, *, away: bool = False) -> None:
    x, y = centre
    body.limb([(x - turn * 0.06, y - 0.17), (x, y - 0.05)], [0.055, 0.05], outfit.skin)
    body.disc(centre, 0.115, outfit.hair if away else outfit.skin, 0.78)
    cap = [(math.cos(a) * 0.105, math.sin(a) * 0.115) for a in np.linspace(0.0, math.pi, 9)]
    body.shape([(x + px - turn * 0.02, y + 0.025 + py) for px, py in cap], outfit.bag)


def dog(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """A dog seen from the side; None when outside the frame."""
    h = float(rng.uniform(0.35, 0.65))
    body = _Body(canvas, x, z, 1.3 * h, 1.35 * h)
    if not body.painter.visible:
        return None
    coat = _HAIR[rng.integers(len(_HAIR))] if rng.random() < 0.6 else (0.42, 0.30, 0.17)
    fur = body.painter.material(Material(coat, conditions.clothing(0.62), grain=0.2, warmth=1.0))
    face = body.painter.material(Material(coat, conditions.clothing(0.88), grain=0.2, warmth=0.6))
    turn = 1 if rng.random() < 0.5 else -1
    step = float(rng.uniform(-0.25, 0.25))
    for place, swing in ((-0.5, step), (-0.42, -step), (0.42, step), (0.5, -step)):
        foot = (turn * (place + swing) * h, 0.04 * h)
        body.limb([(turn * place * h, 0.6 * h), foot], [0.10 * h, 0.05 * h], fur)
    body.limb([(-turn * 0.5 * h, 0.68 * h), (turn * 0.45 * h, 0.66 * h)], [0.17 * h, 0.21 * h], fur)
    body.limb([(-turn * 0.6 * h, 0.74 * h), (-turn * 0.95 * h, 1.0 * h)], [0.06 * h, 0.03 * h], fur)
    body.limb([(turn * 0.5 * h, 0.75 * h), (turn * 0.75 * h, 1.0 * h)], [0.14 * h, 0.12 * h], fur)
    body.limb([(turn * 0.75 * h, 1.02 * h), (turn * 1.08 * h, 0.94 * h)], [0.15 * h, 0.07 * h], face)
    body.shape([(turn * 0.62 * h, 1.08 * h), (turn * 0.74 * h, 1.12 * h), (turn * 0.62 * h, 1.3 * h)], fur)
    return body.painter.sprite(rng, z, light=conditions.sun[0], roundness=0.2 * h * body.scale)


def _triple(values: np.ndarray) -> RGB:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
