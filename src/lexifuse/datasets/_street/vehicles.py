"""Draws cars, trucks and buses: a body lofted through cross-sections, then wheels, glass and lamps upon it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lexifuse.datasets._street.canvas import RGB, Canvas, Light, Sprite
from lexifuse.datasets._street.painter import Material, Painter
from lexifuse.datasets._street.plan import Conditions

_PAINTS: tuple[RGB, ...] = (
    (0.46, 0.46, 0.45), (0.34, 0.35, 0.36), (0.20, 0.21, 0.22), (0.10, 0.105, 0.11), (0.022, 0.022, 0.025),
    (0.36, 0.03, 0.03), (0.03, 0.07, 0.24), (0.04, 0.12, 0.09), (0.45, 0.30, 0.06), (0.10, 0.22, 0.35),
)  # fmt: skip

# Stations from tail to nose: (along, half width, sill, belt, top), metres for a car 4.3 long and 1.45 high.
_HATCH = (
    (-2.12, 0.68, 0.38, 0.70, 0.72), (-2.06, 0.82, 0.30, 0.90, 0.98), (-1.90, 0.88, 0.26, 0.94, 1.28),
    (-1.60, 0.89, 0.25, 0.95, 1.42), (-0.90, 0.90, 0.24, 0.95, 1.47), (-0.20, 0.90, 0.24, 0.94, 1.47),
    (0.35, 0.90, 0.24, 0.93, 1.40), (0.75, 0.90, 0.24, 0.92, 1.18), (1.10, 0.89, 0.24, 0.90, 0.96),
    (1.60, 0.87, 0.25, 0.82, 0.88), (1.98, 0.80, 0.28, 0.68, 0.74), (2.12, 0.66, 0.34, 0.56, 0.58),
)  # fmt: skip
_SEDAN = (
    (-2.15, 0.68, 0.38, 0.72, 0.74), (-2.08, 0.80, 0.30, 0.92, 0.98), (-1.60, 0.88, 0.26, 0.94, 1.03),
    (-1.30, 0.89, 0.25, 0.95, 1.20), (-0.90, 0.89, 0.24, 0.95, 1.39), (-0.35, 0.90, 0.24, 0.94, 1.44),
    (0.25, 0.90, 0.24, 0.93, 1.40), (0.70, 0.90, 0.24, 0.92, 1.18), (1.05, 0.89, 0.24, 0.90, 0.96),
    (1.60, 0.87, 0.25, 0.82, 0.87), (2.00, 0.80, 0.28, 0.68, 0.73), (2.15, 0.66, 0.34, 0.56, 0.58),
)  # fmt: skip
_BUS = (
    (-5.55, 1.15, 0.40, 1.50, 2.90), (-5.45, 1.25, 0.34, 1.35, 3.02),
    *((along, 1.25, 0.32, 1.30, 3.06) for pane in range(7) for along in (-5.2 + 1.5 * pane, -3.82 + 1.5 * pane)),
    (5.40, 1.25, 0.32, 1.20, 3.02), (5.55, 1.18, 0.36, 1.15, 2.92),
)  # fmt: skip
_CAB = (
    (1.55, 1.10, 0.55, 1.55, 2.55), (2.30, 1.12, 0.50, 1.50, 2.62), (2.95, 1.10, 0.48, 1.45, 2.40),
    (3.25, 1.06, 0.48, 1.38, 1.62), (3.40, 0.98, 0.50, 1.20, 1.30),
)  # fmt: skip
_CARGO = tuple((along, 1.18, 0.95, 2.97, 3.05) for along in (-3.40, -2.2, -1.0, 0.2, 1.40))


@dataclass(frozen=True)
class _Kit:
    """Material numbers of a vehicle."""

    paint: int
    bonnet: int
    glass: int
    screen: int
    trim: int
    tyre: int
    rim: int
    head: int
    tail: int
    plate: int
    grille: int
    exhaust: int
    box: int


class _Frame:
    """Vehicle coordinates (along, right, up) placed in the world."""

    def __init__(self, x: float, z: float, heading: float) -> None:
        self.origin = np.array([x, 0.0, z])
        self.axes = np.array(
            [[math.sin(heading), 0.0, math.cos(heading)], [math.cos(heading), 0.0, -math.sin(heading)], [0.0, 1.0, 0.0]]
        )

    def world(self, points: object) -> np.ndarray:
        return np.asarray(points, np.float64) @ self.axes + self.origin

    def faces(self, normal: tuple[float, float, float], point: tuple[float, float, float], eye: np.ndarray) -> bool:
        """True when the side with this normal is turned to the camera."""
        return float((eye - self.world(point)) @ (np.asarray(normal) @ self.axes)) > 0


@dataclass(frozen=True)
class Vehicle:
    """A drawn vehicle: its cut-out and its half extents on the ground along x and z in metres."""

    sprite: Sprite
    reach_x: float
    reach_z: float


def vehicle(
    canvas: Canvas,
    conditions: Conditions,
    rng: np.random.Generator,
    name: str,
    x: float,
    z: float,
    heading: float,
    *,
    running: bool,
) -> Vehicle | None:
    """A "car", "truck" or "bus" with its middle at ground point (x, z); None when outside the frame.

    Args:
        canvas: the scene; lit headlamps are added to its lights.
        conditions: weather and light.
        rng: source of model, paint and warmth.
        name: what to draw.
        x: metres.
        z: metres.
        heading: direction of travel in radians; 0 is away from the camera, pi towards it.
        running: the engine is warm and, when it is dark, the lamps are lit.
    """
    lofts, wheels, radius = _model(rng, name)
    stations = np.concatenate([np.array(loft) for loft in lofts])
    long, wide, tall = np.abs(stations[:, 0]).max(), stations[:, 1].max() + 0.12, stations[:, 4].max() + 0.1
    frame = _Frame(x, z, heading)
    corners = frame.world([(a * long, b * wide, c * tall) for a in (-1, 1) for b in (-1, 1) for c in (0, 1)])
    if corners[:, 2].min() < 1.5:
        return None
    painter = Painter(canvas, corners)
    if not painter.visible:
        return None
    kit = _kit(painter, rng, conditions, name, running)
    eye = np.array([0.0, canvas.camera.elevation, 0.0])
    sun = np.array(conditions.sun) * (1.0 - conditions.overcast)
    _under(painter, frame, stations, wheels, radius, kit)
    far_first = sorted(range(len(lofts)), key=lambda number: -frame.world((lofts[number][1][0], 0, 0))[2])
    for number in far_first:
        skin = kit.box if name == "truck" and number == 0 else kit.paint
        _loft(painter, frame, np.array(lofts[number]), kit, skin, eye, sun, name)
    _wheels(painter, frame, wheels, radius, stations[:, 1].max(), kit, eye)
    _ends(painter, frame, lofts, kit, eye, name)
    if running and conditions.dark:
        _beams(canvas, frame, float(stations[:, 0].max()))
    sprite = painter.sprite(rng, z)
    extent = np.abs(np.array([[long, wide]]) @ np.abs(frame.axes[:2]))[0]
    return Vehicle(sprite, float(extent[0]), float(extent[2]))


def _model(rng: np.random.Generator, name: str) -> tuple[list, tuple[float, ...], float]:
    """Lofts (tail first), where the axles are, and the radius of the wheels."""
    if name == "bus":
        return [_BUS], (-3.4, 3.2), 0.48
    if name == "truck":
        return [_CARGO, _CAB], (-2.2, 2.5), 0.45
    base = np.array(_SEDAN if rng.random() < 0.5 else _HATCH)
    grow = float(rng.uniform(0.94, 1.06))
    high = float(rng.choice((1.0, 1.03, 1.16, 1.22)))
    base = base * (grow, grow, high, high, high)
    return [base], (-1.32 * grow, 1.36 * grow), 0.31 * (1.0 + (high - 1) * 0.6)


def _kit(painter: Painter, rng: np.random.Generator, conditions: Conditions, name: str, running: bool) -> _Kit:
    air, dark = conditions.air, conditions.dark
    lit = running and dark
    colour = np.array(_PAINTS[rng.choice(len(_PAINTS), p=(0.22, 0.16, 0.14, 0.12, 0.12, 0.07, 0.07, 0.03, 0.03, 0.04))])
    if name == "bus":
        colour = np.array([(0.50, 0.05, 0.04), (0.05, 0.22, 0.40), (0.55, 0.38, 0.05), (0.55, 0.55, 0.52)])[
            rng.integers(4)
        ]
    red, green, blue = (float(value) for value in np.clip(colour * rng.uniform(0.85, 1.15), 0.015, 0.75))
    paint = (red, green, blue)
    body = (
        air - (1.5 if dark else -1.0) + (1.5 if running else 0) + 0.5 * conditions.solar * (0.8 - float(colour.mean()))
    )
    glass = air + 0.18 * (conditions.sky_temperature - air) - 0.5
    engine = float(rng.uniform(7, 16)) if running else 0.0
    inside = (0.42, 0.40, 0.32) if dark and name == "bus" else (0.0, 0.0, 0.0)

    mirrored = _triple(np.array(conditions.sky_light) * 0.025)

    def add(colour: RGB, warm: float, light: RGB = (0.0, 0.0, 0.0), warmth: float = 0.3, grain: float = 0.03) -> int:
        return painter.material(Material(colour, warm, light, grain=grain, warmth=warmth))

    box = _PAINTS[rng.choice((0, 1, 2, 6, 8), p=(0.5, 0.2, 0.1, 0.1, 0.1))]
    return _Kit(
        paint=add(paint, body, warmth=0.5),
        bonnet=add(paint, body + 0.45 * engine, warmth=1.2),
        glass=add((0.03, 0.034, 0.036), glass, inside if inside[0] else mirrored),
        screen=add((0.04, 0.045, 0.048), glass + 0.8, mirrored),
        trim=add((0.025, 0.025, 0.026), body + 0.15 * engine),
        tyre=add((0.022, 0.022, 0.022), air + (9.0 if running else 1.0), warmth=0.8),
        rim=add((0.32, 0.32, 0.33), air + (11.0 if running else 0.5), warmth=1.5),
        head=add(
            (0.42, 0.43, 0.44), air + (0.6 * engine if lit else 0.3 * engine), (9.0, 8.6, 7.8) if lit else (0, 0, 0)
        ),
        tail=add((0.42, 0.02, 0.02), air + (3.0 if lit else 0.5), (1.7, 0.05, 0.03) if lit else (0, 0, 0)),
        plate=add((0.65, 0.65, 0.62), body - 0.5),
        grille=add((0.03, 0.03, 0.03), air + engine, warmth=1.0),
        exhaust=add((0.05, 0.05, 0.05), air + 2.2 * engine),
        box=add(box, air - (1.0 if dark else -1.5), warmth=0.5),
    )


def _under(
    painter: Painter, frame: _Frame, stations: np.ndarray, axles: tuple[float, ...], radius: float, kit: _Kit
) -> None:
    """The dark below the body, and the tyres that show there."""
    back, front = stations[:, 0].min() + 0.25, stations[:, 0].max() - 0.25
    wide = stations[:, 1].max() * 0.86
    sill = float(np.median(stations[:, 2])) + 0.1
    ends = [(a, b) for a in (back, front) for b in (-wide, wide)]
    hull = painter.camera.project(frame.world([(a, b, c) for a, b in ends for c in (0.16, sill)]))
    painter.polygon(_hull(hull), kit.trim, 26)
    for axle in axles:
        for side in (-1, 1):
            tyre = [
                (axle + a * radius * 0.7, side * b, c)
                for a in (-1, 1)
                for b in (wide * 0.84, wide * 1.04)
                for c in (0, radius)
            ]
            painter.polygon(_hull(painter.camera.project(frame.world(tyre))), kit.tyre, 50)


def _hull(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def _section(station: np.ndarray) -> np.ndarray:
    """Cross-section (7, 2) of (right, up) from the left sill over the roof to the right sill, plus its crown."""
    _, wide, sill, belt, top = station
    lean = np.clip((top - belt) / 0.5, 0, 1)
    # A car's cabin narrows to its roof; a bus stands straight and keeps a band above its windows.
    low = top < 2.2
    roof = wide * (0.94 - (0.20 if low else 0.02) * lean)
    half = [
        (wide * 0.93, sill), (wide, sill + (belt - sill) * 0.45), (wide * 0.975, belt),
        (roof, top - (0.05 if low else 0.36) * lean), (roof * (0.8 if low else 0.96), top),
    ]  # fmt: skip
    return np.array([(-b, c) for b, c in half] + [(0.0, top + 0.015)] + half[::-1])


def _loft(
    painter: Painter,
    frame: _Frame,
    stations: np.ndarray,
    kit: _Kit,
    skin: int,
    eye: np.ndarray,
    sun: np.ndarray,
    name: str,
) -> None:
    sections = np.stack([_section(station) for station in stations])
    along = np.broadcast_to(stations[:, :1, None], (*sections.shape[:2], 1))
    points = frame.world(np.concatenate([along, sections], axis=-1))
    quads, parts, order = [], [], []
    middle = frame.world(np.stack([stations[:, 0], np.zeros(len(stations)), (stations[:, 2] + stations[:, 4]) / 2], -1))
    for i in range(len(stations) - 1):
        for j in range(sections.shape[1] - 1):
            quads.append([points[i, j], points[i + 1, j], points[i + 1, j + 1], points[i, j + 1]])
            parts.append(_part(stations[i], stations[i + 1], min(j, 9 - j), kit, skin, name))
            order.append((middle[i] + middle[i + 1]) / 2)
    corner = np.array(quads)
    centre = corner.mean(axis=1)
    normal = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    normal *= np.sign(np.sum(normal * (centre - np.array(order)), axis=1))[:, None]
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-9)[:, None]
    seen = np.sum(normal * (eye - centre), axis=1) > 0
    shade = _shade(normal, sun)
    pixels = painter.camera.project(corner)
    far_first = np.argsort(-np.linalg.norm(centre - eye, axis=1))
    drawn = far_first[seen[far_first]]
    painter.faces(pixels[drawn], [parts[n] for n in drawn], shade[drawn].tolist(), centre[drawn, 2].tolist())
    for end, direction in ((0, -1.0), (-1, 1.0)):
        outward = np.array([direction, 0.0, 0.0]) @ frame.axes
        if float(outward @ (eye - points[end].mean(axis=0))) > 0:
            cap = int(_shade(outward[None], sun)[0])
            painter.polygon(painter.camera.project(points[end]), skin, cap)


def _part(back: np.ndarray, front: np.ndarray, strip: int, kit: _Kit, skin: int, name: str) -> int:
    """Material of the panel between two stations; strip 0 is the sill, 4 the top."""
    cabin = min(back[4] - back[3], front[4] - front[3])
    ahead = (back[0] + front[0]) / 2
    if skin == kit.box:
        return skin
    if name == "car":
        slope = abs(front[4] - back[4]) / max(front[0] - back[0], 1e-6)
        if strip >= 3 and slope > 0.36 and max(back[4] - back[3], front[4] - front[3]) > 0.2:
            return kit.screen
        if strip == 2 and cabin > 0.16:
            return kit.glass
        return kit.bonnet if ahead > 1.0 and strip >= 2 else skin
    pillar = name == "bus" and not 0.3 < front[0] - back[0] < 1.45
    return kit.glass if strip == 2 and cabin > 0.5 and not pillar else skin


def _shade(normal: np.ndarray, sun: np.ndarray) -> np.ndarray:
    """Shade (n,) on a scale where 128 is a wall in even light: the sky lights what faces up, the sun what it sees."""
    even = 0.62 + 0.46 * normal[:, 1]
    return np.clip(128 * (even + 0.75 * np.clip(normal @ sun, 0, None)), 12, 250)


def _wheels(
    painter: Painter,
    frame: _Frame,
    axles: tuple[float, ...],
    radius: float,
    wide: float,
    kit: _Kit,
    eye: np.ndarray,
) -> None:
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    for side in (-1, 1):
        near_side = frame.faces((0, side, 0), (0, side * wide, radius), eye)
        for axle in axles:

            def ring(size: float, out: float, axle: float = axle, side: int = side) -> np.ndarray:
                circle = np.stack(
                    [axle + size * np.cos(angles), np.full(24, side * out), radius + size * np.sin(angles)], -1
                )
                return painter.camera.project(frame.world(circle))

            if near_side:
                arch = ring(radius * 1.17, wide * 0.995)
                painter.polygon(arch, kit.trim, 20)
                painter.polygon(_hull(np.concatenate([ring(radius, wide), ring(radius, wide - 0.2)])), kit.tyre, 60)
                painter.polygon(ring(radius, wide * 1.005), kit.tyre, 90)
                painter.polygon(ring(radius * 0.62, wide * 1.005), kit.rim, 110)
                painter.polygon(ring(radius * 0.2, wide * 1.005), kit.trim, 90)


def _ends(painter: Painter, frame: _Frame, lofts: list, kit: _Kit, eye: np.ndarray, name: str) -> None:
    """Lamps, plate, grille and bumper on whichever end is turned to the camera."""
    tail_end, nose_end = np.array(lofts[0]), np.array(lofts[-1])

    def panel(end: float, left: float, low: float, right: float, high: float, part: int, relief: int = 128) -> None:
        corners = [(end, left, low), (end, right, low), (end, right, high), (end, left, high)]
        painter.polygon(painter.camera.project(frame.world(corners)), part, relief)

    nose, tail = float(nose_end[:, 0].max()) + 0.01, float(tail_end[:, 0].min()) - 0.01
    if frame.faces((1, 0, 0), (nose, 0, 0.8), eye):
        if name == "car":
            high = float(nose_end[-1, 3])
            panel(nose - 0.06, -0.74, 0.25, 0.74, 0.34, kit.trim, 50)
            panel(nose - 0.02, -0.50, 0.34, 0.50, 0.46, kit.grille, 50)
            panel(nose, -0.42, high - 0.16, 0.42, high + 0.01, kit.grille, 60)
            panel(nose, -0.24, 0.40, 0.24, 0.50, kit.plate, 110)
            for side in (-1, 1):
                panel(nose - 0.07, side * 0.46, high - 0.04, side * 0.78, high + 0.12, kit.head)
        else:
            wide = float(nose_end[-1, 1])
            top = float(nose_end[-2 if name == "bus" else -3, 4])
            panel(nose - (0.0 if name == "bus" else 0.3), -wide * 0.92, 1.45, wide * 0.92, top - 0.25, kit.screen, 120)
            panel(nose, -wide * 0.5, 0.75, wide * 0.5, 1.1, kit.grille, 60)
            panel(nose, -wide, 0.40, wide, 0.58, kit.trim, 60)
            for side in (-1, 1):
                panel(nose, side * wide * 0.62, 0.72, side * wide * 0.92, 0.95, kit.head)
    if frame.faces((-1, 0, 0), (tail, 0, 0.8), eye):
        if name == "car":
            belt = float(tail_end[1, 3])
            panel(tail + 0.05, -0.74, 0.26, 0.74, 0.36, kit.trim, 50)
            panel(tail + 0.05, -0.80, 0.50, 0.80, 0.515, kit.trim, 40)
            panel(tail + 0.05, -0.34, belt - 0.32, 0.34, belt - 0.06, kit.paint, 84)
            panel(tail, -0.25, belt - 0.27, 0.25, belt - 0.16, kit.plate, 110)
            panel(tail + 0.03, 0.42, 0.24, 0.54, 0.32, kit.exhaust, 60)
            for side in (-1, 1):
                panel(tail + 0.04, side * 0.50, belt - 0.16, side * 0.79, belt + 0.02, kit.tail)
        else:
            wide = float(tail_end[0, 1])
            if name == "bus":
                panel(tail, -wide * 0.8, 1.9, wide * 0.8, 2.75, kit.glass, 120)
                panel(tail, -wide * 0.6, 0.6, wide * 0.6, 1.3, kit.grille, 80)
            else:
                panel(tail, -0.015, 1.0, 0.015, 3.0, kit.trim, 50)
            panel(tail, -wide, 0.45, wide, 0.62, kit.trim, 50)
            panel(tail, -0.3, 0.66, 0.3, 0.80, kit.plate, 110)
            for side in (-1, 1):
                panel(tail, side * wide * 0.75, 0.66, side * wide * 0.96, 0.92, kit.tail)


def _beams(canvas: Canvas, frame: _Frame, nose: float) -> None:
    ahead = np.array([1.0, 0.0, -0.07]) @ frame.axes
    position = frame.world((nose + 0.1, 0.0, 0.7))
    ahead /= np.linalg.norm(ahead)
    canvas.lights.append(Light(_triple(position), (26.0, 25.0, 22.0), _triple(ahead), 14.0))


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
