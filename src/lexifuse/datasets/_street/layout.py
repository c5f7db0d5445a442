"""Decides where everything stands, and paints it: far things first, so that near things cover them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lexifuse.datasets._street import furniture, people
from lexifuse.datasets._street.buildings import building, place_facade
from lexifuse.datasets._street.canvas import Canvas, Light, Sprite
from lexifuse.datasets._street.facades import TEXELS, facade
from lexifuse.datasets._street.plan import Conditions, Street
from lexifuse.datasets._street.shadows import cast_sprite, touch_ground
from lexifuse.datasets._street.vehicles import vehicle

Maker = Callable[[Canvas, Conditions, np.random.Generator, float, float], Sprite | None]


@dataclass(frozen=True)
class Standing:
    """Something upright on the street: its cut-out, its place and half extents on the ground in metres.

    ``name`` is what it is called as an object, or "" for what is not one.
    """

    name: str
    sprite: Sprite
    x: float
    z: float
    reach_x: float
    reach_z: float


def paint_buildings(canvas: Canvas, street: Street, conditions: Conditions, rng: np.random.Generator) -> None:
    """Line the street with buildings, and close its end with one now and then."""
    rows: list[tuple[float, Callable[[], None]]] = []
    if rng.random() < 0.45:
        z, height = float(rng.uniform(60, 120)), float(rng.uniform(8, 20))
        front_rng = np.random.default_rng(rng.integers(2**32))

        def close() -> None:
            reach = 26.0
            texels = float(np.clip(1.3 * canvas.camera.scale(z), 4, TEXELS))
            style = (0.34, 0.28, 0.22)
            front = facade(front_rng, 2 * reach, height, conditions, style, shown=height, texels=texels)
            x = street.centre(z)
            light = max(0.0, -conditions.sun[2])
            place_facade(canvas, front, (x - reach, z), (x + reach, z), height, light, conditions.solar)

        rows.append((z, close))
    for side, kind in zip((-1, 1), street.sides, strict=True):
        if kind == "park":
            continue
        setback = 0.0 if kind == "city" else float(rng.uniform(3, 8))
        near, before = float(rng.uniform(-14, 4)), 0.0  # height of the building that stands against this one's gable
        while near < 85:
            city = kind == "city"
            long = float(rng.uniform(10, 24)) if city else float(rng.uniform(8, 13))
            height = float(rng.uniform(8, 24)) if city else float(rng.uniform(5.5, 8.5))
            far = near + long
            start, own = max(near, 1.6), np.random.default_rng(rng.integers(2**32))
            if far > 4.0:
                x = street.centre(start) + street.edge(side) + side * setback
                bend = street.centre(far) - street.centre(start)

                def raise_one(
                    own: np.random.Generator = own, side: int = side, x: float = x, near: float = near,
                    far: float = far, height: float = height, bend: float = bend, gable: bool = height > before,
                ) -> None:  # fmt: skip
                    building(canvas, conditions, own, side, x, near, far, height, bend=bend, gable=gable)

                rows.append((far, raise_one))
            gap = rng.random() < 0.25 if city else True
            near = far + (float(rng.uniform(3, 8)) if gap else 0.0)
            before = 0.0 if gap else height
    for _, paint in sorted(rows, key=lambda row: -row[0]):
        paint()


class Layout:
    """Places things on the street without letting them stand in one another.

    Args:
        canvas: the scene; only its camera is read while things are placed, and lit lamps are added to its lights.
        street: where road and pavements are.
        conditions: weather and light.
        rng: source of every choice.
    """

    def __init__(self, canvas: Canvas, street: Street, conditions: Conditions, rng: np.random.Generator) -> None:
        self.canvas, self.street, self.conditions, self.rng = canvas, street, conditions, rng
        self.standing: list[Standing] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def fill(self) -> list[Standing]:
        """Place everything; the farthest comes first."""
        self._vehicles()
        self._walkers()
        self._posts()
        self._green()
        if self.conditions.dark and self.rng.random() < 0.4:  # the camera's own car has its lamps on
            beam = Light((self.street.hand * 0.2, 0.8, 0.5), (60.0, 57.0, 50.0), (0.0, -0.055, 0.998), 20.0)
            self.canvas.lights.append(beam)
        return sorted(self.standing, key=lambda one: -one.z)

    def _free(self, x: float, z: float, reach_x: float, reach_z: float) -> bool:
        clear = all(abs(x - ox) >= reach_x + orx or abs(z - oz) >= reach_z + orz for ox, oz, orx, orz in self._taken)
        if clear:
            self._taken.append((x, z, reach_x, reach_z))
        return clear

    def _put(self, name: str, make: Maker, x: float, z: float, reach: float, *, crowd: float | None = None) -> None:
        room = reach if crowd is None else crowd
        if not self._free(x, z, room, room):
            return
        own = np.random.default_rng(self.rng.integers(2**32))
        sprite = make(self.canvas, self.conditions, own, x, z)
        if sprite is not None:
            self.standing.append(Standing(name, sprite, x, z, reach, reach))

    def _vehicle(self, name: str, x: float, z: float, heading: float, *, running: bool) -> None:
        long, wide = {"car": (2.4, 1.1), "truck": (3.8, 1.4), "bus": (6.0, 1.5)}[name]
        reach_x = abs(math.sin(heading)) * long + abs(math.cos(heading)) * wide
        reach_z = abs(math.cos(heading)) * long + abs(math.sin(heading)) * wide
        if z - reach_z < 3.0 or not self._free(x, z, reach_x, reach_z + 0.6):
            return
        own = np.random.default_rng(self.rng.integers(2**32))
        drawn = vehicle(self.canvas, self.conditions, own, name, x, z, heading, running=running)
        if drawn is not None:
            self.standing.append(Standing(name, drawn.sprite, x, z, drawn.reach_x, drawn.reach_z))

    def _vehicles(self) -> None:
        street, rng = self.street, self.rng
        lanes = max(1, round((street.half - 0.4) / street.lane))
        for _ in range(rng.integers(1, 7)):
            z = float(np.exp(rng.uniform(math.log(8), math.log(80))))
            name = str(rng.choice(("car", "truck", "bus"), p=(0.72, 0.14, 0.14)))
            ahead = rng.random() < 0.5
            lane = (rng.integers(lanes) + 0.5) * street.lane * street.hand * (1 if ahead else -1)
            heading = (0.0 if ahead else math.pi) + math.atan(street.bend * z) + float(rng.normal(0, 0.03))
            crossing = rng.random() < 0.12 and z > 10
            if crossing:
                heading = float(rng.choice((-1, 1))) * math.pi / 2 + float(rng.normal(0, 0.12))
            self._vehicle(name, street.centre(z) + float(lane), z, heading, running=True)
        for side, parked in zip((-1, 1), street.parking, strict=True):
            z = float(rng.uniform(5, 12))
            while parked and z < 60:
                heading = (0.0 if side == street.hand else math.pi) + math.atan(street.bend * z)
                if rng.random() < 0.75:
                    kind = "truck" if rng.random() < 0.08 else "car"
                    x = street.centre(z) + side * (street.half - 1.15)
                    self._vehicle(kind, x, z, heading + float(rng.normal(0, 0.02)), running=bool(rng.random() < 0.15))
                z += float(rng.uniform(5.6, 8.5))

    def _walkers(self) -> None:
        street, rng = self.street, self.rng
        for _ in range(rng.integers(3, 11)):
            z = float(np.exp(rng.uniform(math.log(5.5), math.log(45))))
            if street.crossing is not None and rng.random() < 0.35:
                z = street.crossing + float(rng.uniform(0.3, 2.9))
                x = street.centre(z) + float(rng.uniform(-1, 1)) * street.half
            elif rng.random() < 0.2:
                x = street.centre(z) + float(rng.uniform(-1, 1)) * street.half
            else:
                side = int(rng.choice((-1, 1)))
                x = street.centre(z) + side * (street.half + float(rng.uniform(0.3, street.pavement - 0.3)))
            self._put("person", people.person, x, z, 0.3)
            if rng.random() < 0.3:
                self._put("person", people.person, x + float(rng.uniform(0.62, 0.85)), z + 0.1, 0.3)
            if rng.random() < 0.08:
                self._put("animal", people.dog, x - float(rng.uniform(0.9, 1.4)), z - 0.2, 0.4)
        for _ in range(rng.integers(0, 4)):
            z = float(np.exp(rng.uniform(math.log(7), math.log(45))))
            x = street.centre(z) + float(rng.choice((-1, 1))) * (street.half - float(rng.uniform(0.5, 1.6)))
            self._put("cyclist", people.cyclist, x, z, 0.8)

    def _posts(self) -> None:
        street, rng = self.street, self.rng
        height, gap = float(rng.uniform(5.5, 8.0)), float(rng.uniform(14, TEXELS))
        both = rng.random() < 0.5
        first = int(rng.choice((-1, 1)))
        for side in (first, -first) if both else (first,):
            z = float(rng.uniform(6, gap))

            def lamp(
                canvas: Canvas, weather: Conditions, own: np.random.Generator, x: float, z: float, side: int = side
            ) -> Sprite | None:
                return furniture.lamp_post(canvas, weather, own, x, z, side, height)

            while z < 90:
                self._put("", lamp, street.centre(z) + side * (street.half + 0.5), z, 0.15)
                z += gap
        for _ in range(rng.integers(1, 5)):
            z, side = float(rng.uniform(7, 40)), int(rng.choice((-1, 1)))
            self._put("traffic sign", furniture.traffic_sign, street.centre(z) + side * (street.half + 0.45), z, 0.15)
        if street.crossing is not None and rng.random() < 0.7:
            for side in (-1, 1):
                z = street.crossing + 3.9
                self._put(
                    "traffic light", furniture.traffic_light, street.centre(z) + side * (street.half + 0.4), z, 0.15
                )
        if rng.random() < 0.55:
            z, side = float(rng.uniform(9, 24)), int(rng.choice((-1, 1)))
            self._put("", furniture.hoarding, street.centre(z) + side * (street.half + street.pavement - 0.9), z, 0.9)
        if rng.random() < 0.3:
            side = int(rng.choice((-1, 1)))
            for z in np.arange(float(rng.uniform(5, 8)), 32, 2.2):
                self._put("", furniture.bollard, street.centre(float(z)) + side * (street.half + 0.35), float(z), 0.12)

    def _green(self) -> None:
        street, rng = self.street, self.rng
        for side, kind in zip((-1, 1), street.sides, strict=True):
            edge = street.half + street.pavement
            if kind == "city" and rng.random() < 0.6:
                continue
            z = float(rng.uniform(6, 16))
            while z < 90:
                out = (
                    street.half + 0.9
                    if kind == "city"
                    else edge + float(rng.uniform(0.8, 2.5 if kind == "houses" else 9))
                )
                x = street.centre(z) + side * out
                self._put("", furniture.tree, x, z, 2.0, crowd=0.5)
                z += float(rng.uniform(7, 15) if kind == "city" else rng.uniform(5, 11)) * (1 + z / 70)
            if kind == "city":
                continue
            z = float(rng.uniform(5, 8))
            while z < 60:
                reach = 1.6 + z / 25

                def bush(
                    canvas: Canvas,
                    weather: Conditions,
                    own: np.random.Generator,
                    x: float,
                    z: float,
                    reach: float = reach,
                ) -> Sprite | None:
                    return furniture.hedge(canvas, weather, own, x, z, reach)

                if rng.random() < 0.7:
                    self._put("", bush, street.centre(z) + side * (edge + reach + 0.3), z, reach, crowd=0.1)
                z += reach * float(rng.uniform(1.3, 2.4))


def paint_standing(canvas: Canvas, conditions: Conditions, standing: list[Standing]) -> list[tuple[int, Standing, int]]:
    """Paint what stands on the street, the farthest first, with shadows.

    Returns:
        For every object its label on the canvas, itself, and how many pixels it would cover unoccluded.
    """
    for one in standing:
        cast_sprite(canvas, conditions, one.sprite, one.z)
        touch_ground(canvas, one.x, one.z, one.reach_x * 1.15, one.reach_z * 1.15, 0.85 if one.reach_x > 1 else 0.6)
    objects = []
    for one in standing:
        label = min(len(objects) + 1, 255) if one.name else 0
        area = canvas.composite(one.sprite, label)
        if one.name:
            objects.append((label, one, area))
    return objects
