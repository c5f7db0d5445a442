"""Street scenes rendered in both spectra from a seed: registered, clean, with depth, boxes and exact masks.

A scene is painted once into layers (reflectance, light sent out, temperature, depth) by the parts in
:mod:`lexifuse.datasets._street`; a visible and a thermal infrared camera then record the same layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lexifuse.datasets._street.cameras import infrared_picture, visible_picture
from lexifuse.datasets._street.canvas import Canvas
from lexifuse.datasets._street.ground import paint_ground, paint_sky
from lexifuse.datasets._street.layout import Layout, Standing, paint_buildings, paint_standing
from lexifuse.datasets._street.plan import plan_camera, plan_conditions, plan_street
from lexifuse.errors import OutputError, UsageError
from lexifuse.files import atomic_file

TIMES = ("day", "dusk", "night")
"""Times of day that a scene can have."""

CLASSES = ("person", "cyclist", "car", "truck", "bus", "traffic sign", "traffic light", "animal")
"""Names of the objects that a scene can hold, in the order of a saved data set's ``classes.txt``."""

SMALLEST = 16
"""Least height and width of a scene in pixels."""

_MINIMUM_AREA = 6
_MINIMUM_SHARE = 0.1


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        name: one of :data:`lexifuse.instruction.HIGHLIGHTS`.
        box: (x0, y0, x1, y1) in pixels around what is seen of it, the end exclusive.
        distance: metres from the camera.
    """

    name: str
    box: tuple[int, int, int, int]
    distance: float


@dataclass(frozen=True)
class Scene:
    """One rendered scene.

    Attributes:
        visible: uint8 (H, W, 3) RGB.
        infrared: uint8 (H, W), white hot.
        depth: float32 (H, W) in metres; the sky is 1000.
        objects: what can be seen, the farthest first.
        labels: uint8 (H, W); 0 is none, ``i + 1`` is ``objects[i]``.
        time: "day", "dusk" or "night".
        seed: what it was rendered from.
    """

    visible: npt.NDArray[np.uint8]
    infrared: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    objects: tuple[SceneObject, ...]
    labels: npt.NDArray[np.uint8]
    time: str
    seed: int


def render_scene(seed: int, *, height: int = 480, width: int = 640, time: str | None = None) -> Scene:
    """Render a street scene; the same arguments give the same scene.

    Args:
        seed: 0 or more; draws the street, the weather and everything in it.
        height: pixels, at least 16.
        width: pixels, at least 16.
        time: "day", "dusk" or "night"; None draws it from the seed.

    Returns:
        A registered pair with depth, objects and masks. An object of which fewer than 6 pixels or a tenth can be
        seen is painted but not listed.

    Raises:
        UsageError: an argument is out of range.
    """
    if seed < 0:
        raise UsageError(f"a scene's seed must be 0 or more, not {seed}")
    if min(height, width) < SMALLEST:
        raise UsageError(f"a scene must be at least {SMALLEST}x{SMALLEST} pixels, not {width}x{height}")
    if time is not None and time not in TIMES:
        raise UsageError(f"unknown time '{time}': choose from {', '.join(TIMES)}")
    # One stream per part: a change to one part leaves the others of a seed as they are.
    planning, ground, houses, things, sensors = (np.random.default_rng([seed, part]) for part in range(5))
    drawn = str(planning.choice(TIMES, p=(0.4, 0.2, 0.4)))
    conditions = plan_conditions(planning, time or drawn)
    street = plan_street(planning)
    canvas = Canvas(plan_camera(planning, height, width))
    paint_sky(canvas, conditions, ground)
    paint_ground(canvas, street, conditions, ground)
    paint_buildings(canvas, street, conditions, houses)
    painted = paint_standing(canvas, conditions, Layout(canvas, street, conditions, things).fill())
    objects, labels = _seen(canvas.labels, painted)
    return Scene(
        visible=visible_picture(canvas, conditions, sensors),
        infrared=infrared_picture(canvas, conditions, sensors),
        depth=canvas.depth,
        objects=objects,
        labels=labels,
        time=conditions.time,
        seed=seed,
    )


def save_dataset(folder: Path, count: int, *, seed: int = 0, height: int = 480, width: int = 640) -> None:
    """Render scenes into a folder in the layout that training and evaluation read.

    ``ir/NAME.png``, ``vi/NAME.png``, ``labels/NAME.txt`` (a line per object: class, then centre x, centre y, width and
    height as shares of the picture) and ``classes.txt``. Every file appears whole or not at all.

    Args:
        folder: made where it does not exist; files of the same name are replaced.
        count: how many scenes; they have the seeds ``seed`` .. ``seed + count - 1``.
        seed: of the first scene.
        height: pixels.
        width: pixels.

    Raises:
        UsageError: an argument is out of range.
        OutputError: the folder cannot be written.
    """
    if count < 1:
        raise UsageError(f"a data set needs at least 1 scene, not {count}")
    folder = Path(folder)
    try:
        for part in ("ir", "vi", "labels"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        _write(folder / "classes.txt", "\n".join((*CLASSES, "")).encode())
        for number in range(seed, seed + count):
            scene = render_scene(number, height=height, width=width)
            name = f"{number:06d}"
            _write(folder / "ir" / f"{name}.png", _png(scene.infrared))
            _write(folder / "vi" / f"{name}.png", _png(cv2.cvtColor(scene.visible, cv2.COLOR_RGB2BGR)))
            _write(folder / "labels" / f"{name}.txt", _yolo(scene).encode())
    except OSError as error:
        raise OutputError(
            f"cannot write a data set into '{folder}' ({error.strerror}): choose another folder"
        ) from None


def _seen(
    painted_labels: npt.NDArray[np.uint8], painted: list[tuple[int, Standing, int]]
) -> tuple[tuple[SceneObject, ...], npt.NDArray[np.uint8]]:
    """The objects that can be seen well enough, and the label map renumbered to them."""
    counts = np.bincount(painted_labels.ravel(), minlength=256)
    renumber = np.zeros(256, np.uint8)
    objects: list[SceneObject] = []
    for label, one, area in painted:
        if counts[label] < max(_MINIMUM_AREA, _MINIMUM_SHARE * area):
            continue
        rows, columns = one.sprite.window
        x, y, wide, high = cv2.boundingRect((painted_labels[rows, columns] == label).astype(np.uint8))
        left, top = columns.start + x, rows.start + y
        box = left, top, left + wide, top + high
        objects.append(SceneObject(one.name, box, one.z))
        renumber[label] = len(objects)
    return tuple(objects), renumber[painted_labels]


def _yolo(scene: Scene) -> str:
    height, width = scene.labels.shape
    lines = []
    for thing in scene.objects:
        x0, y0, x1, y1 = thing.box
        place = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
        lines.append(f"{CLASSES.index(thing.name)} " + " ".join(f"{value:.6f}" for value in place) + "\n")
    return "".join(lines)


def _png(picture: npt.NDArray[Any]) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    with atomic_file(path) as file:
        file.write(data)
