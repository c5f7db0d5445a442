"""Stands buildings beside the street: flat facades laid into the picture in perspective, with depth and shadow."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lexifuse.datasets._street.canvas import Canvas, Floats, Sprite
from lexifuse.datasets._street.facades import TEXELS, Facade, facade, wall_colour
from lexifuse.datasets._street.plan import Conditions
from lexifuse.datasets._street.shadows import cast_wall

_NEAREST = 1.6  # metres in front of the camera, from where on a street front is drawn
_SHORTEST = 0.5  # metres of a street front that are worth drawing; it must be more than a texel


def place_facade(
    canvas: Canvas,
    front: Facade,
    left_foot: tuple[float, float],
    right_foot: tuple[float, float],
    height: float,
    direct: float,
    solar: float,
) -> None:
    """Lay a facade into the picture.

    Args:
        canvas: the scene.
        front: the flat drawing.
        left_foot: world (x, z) of the foot that the camera sees on the left.
        right_foot: the same on the right.
        height: metres.
        direct: share of the sun's light that the wall catches.
        solar: °C by which full sun warms a black wall.
    """
    (x0, z0), (x1, z1) = left_foot, right_foot
    corners = canvas.camera.project([(x0, height, z0), (x1, height, z1), (x1, 0, z1), (x0, 0, z0)])
    if corners[1, 0] - corners[0, 0] < 0.5:
        return
    box = canvas.clip_box(corners + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
    if box is None:
        return
    rows, columns = box
    shape = rows.stop - rows.start, columns.stop - columns.start
    target = (corners - (columns.start, rows.start) - 0.5).astype(np.float32)
    surface = np.concatenate([front.albedo, front.temperature[..., None]], axis=-1)
    surface, emission = (_warp(layer, corners, target, shape) for layer in (surface, front.emission))
    albedo = surface[..., :3]
    mask = np.zeros(shape, np.uint8)
    outline = (target.clip(-16_000, 16_000) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, 255, cv2.LINE_AA, shift=4)
    u = (np.arange(columns.start, columns.stop) + 0.5 - canvas.camera.centre) / canvas.camera.focal
    depth = _wall_depth(u.astype(np.float32), left_foot, right_foot)
    sprite = Sprite(
        columns.start,
        rows.start,
        mask.astype(np.float32) / 255,
        albedo,
        surface[..., 3] + 0.6 * solar * direct * (1 - albedo.mean(axis=-1)),
        emission,
        np.full(shape, direct, np.float32),
        np.broadcast_to(depth, shape).copy(),
    )
    canvas.composite(sprite)


def _warp(layer: Floats, corners: np.ndarray, target: np.ndarray, shape: tuple[int, int]) -> Floats:
    """Lay a layer (h, w, n) over the quadrilateral ``target`` (4, 2) of a window, thinned to the size it is seen at."""
    seen_high = float(np.abs(corners[3, 1] - corners[0, 1] + corners[2, 1] - corners[1, 1]) / 2)
    seen_wide = float(corners[1, 0] - corners[0, 0])
    tall = max(2, round(min(layer.shape[0], seen_high * 1.2)))
    wide = max(2, round(min(layer.shape[1], seen_wide * 1.6)))
    thinned = cv2.resize(layer, (wide, tall), interpolation=cv2.INTER_AREA)
    source = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, target)
    return cv2.warpPerspective(thinned, matrix, shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def _wall_depth(u: Floats, left_foot: tuple[float, float], right_foot: tuple[float, float]) -> Floats:
    """Distance (w,) at which the rays x = u z meet an upright wall between two feet (x, z)."""
    (x0, z0), (x1, z1) = left_foot, right_foot
    run, rise = x1 - x0, z1 - z0
    slope = u * rise - run
    away = (x0 * rise - z0 * run) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    return np.clip(away, min(z0, z1), max(z0, z1)).astype(np.float32)


def building(
    canvas: Canvas,
    conditions: Conditions,
    rng: np.random.Generator,
    side: int,
    x: float,
    near: float,
    far: float,
    height: float,
    *,
    bend: float = 0.0,
    gable: bool = True,
) -> None:
    """A building beside the street: its street front from ``near`` to ``far`` and the gable that faces the camera.

    Args:
        canvas: the scene.
        conditions: weather and light.
        rng: source of the facade.
        side: -1 left of the street, +1 right.
        x: world x of the street front at its near end.
        near: distance of the near end in metres.
        far: distance of the far end in metres.
        height: metres.
        bend: metres by which the far end lies to the right of the near end.
        gable: the end wall can be seen; False where a nearer building stands against it.
    """
    start = max(near, _NEAREST)
    if far - start < _SHORTEST:
        return
    style = wall_colour(rng)
    sun = np.array(conditions.sun)
    street_light = max(0.0, float(sun @ (-side, 0, 0)))
    gable_light = max(0.0, float(sun @ (0, 0, -1)))
    depth = float(rng.uniform(8, 12))
    cast_wall(canvas, conditions, [(x, 0, start), (x + bend, 0, far), (x + bend, height, far), (x, height, start)])
    shown = min(height, visible_height(canvas, far))
    texels = float(np.clip(1.2 * canvas.camera.scale(math.sqrt(start * far)), 3, TEXELS))
    if gable and near > 2.0 and _in_frame(canvas, (x, near), (x + side * depth, near), height):
        end = facade(rng, depth, height, conditions, style, shown=shown, texels=texels)
        inner, outer = (x, near), (x + side * depth, near)
        left, right = (inner, outer) if side > 0 else (outer, inner)
        place_facade(canvas, end, left, right, shown, gable_light, conditions.solar)
    if not _in_frame(canvas, (x, start), (x + bend, far), height):
        return
    front = facade(rng, far - near, height, conditions, style, shown=shown, texels=texels)
    if start > near:  # what lies behind the camera is cut away
        cut = round((start - near) * texels)
        keep = slice(cut, None) if side < 0 else slice(front.albedo.shape[1] - cut)
        front = Facade(front.albedo[:, keep], front.emission[:, keep], front.temperature[:, keep])
    left, right = ((x, start), (x + bend, far)) if side < 0 else ((x + bend, far), (x, start))
    place_facade(canvas, front, left, right, shown, street_light, conditions.solar)


def visible_height(canvas: Canvas, z: float) -> float:
    """Metres above the ground that the upper edge of the frame cuts off at distance ``z``."""
    camera = canvas.camera
    return max(1.0, camera.elevation + 1.05 * camera.horizon * z / camera.focal)


def _in_frame(canvas: Canvas, left: tuple[float, float], right: tuple[float, float], height: float) -> bool:
    """True where a wall between two feet (x, z) is in the frame."""
    return (
        canvas.clip_box(canvas.camera.project([(x, y, z) for x, z in (left, right) for y in (0, height)])) is not None
    )
