"""Lays shadows on the ground: the sun's, cast by cut-outs and walls, and the soft dark where things stand."""

from __future__ import annotations

import cv2
import numpy as np

from lexifuse.datasets._street.canvas import Canvas, Sprite
from lexifuse.datasets._street.plan import Conditions

Point = tuple[float, float, float]


def cast_sprite(canvas: Canvas, conditions: Conditions, sprite: Sprite, z: float) -> None:
    """Lay the sun's shadow of a sprite that stands upright at distance ``z``."""
    if conditions.time != "day" or conditions.overcast > 0.85:
        return
    camera = canvas.camera
    height, width = sprite.alpha.shape
    scale = camera.scale(z)
    left, right = ((sprite.left + shift - camera.centre) / scale for shift in (0, width))
    top, bottom = (camera.elevation - (sprite.top + shift - camera.horizon) / scale for shift in (0, height))
    corners = [(left, bottom, z), (right, bottom, z), (right, top, z), (left, top, z)]
    target = _on_ground(canvas, conditions, corners)
    box = None if target is None else canvas.clip_box(target)
    if target is None or box is None:
        return
    moved = (target - (box[1].start, box[0].start)).astype(np.float32)
    if abs(cv2.contourArea(moved)) < 1.0:
        return
    source = np.array([[0, height], [width, height], [width, 0], [0, 0]], np.float32)
    size = (box[1].stop - box[1].start, box[0].stop - box[0].start)
    shadow = cv2.warpPerspective(sprite.alpha, cv2.getPerspectiveTransform(source, moved), size)
    canvas.sunlight[box] = np.minimum(canvas.sunlight[box], 1 - np.clip(shadow, 0, 1))


def cast_wall(canvas: Canvas, conditions: Conditions, corners: list[Point]) -> None:
    """Lay the sun's shadow of a four-cornered wall."""
    if conditions.time != "day" or conditions.overcast > 0.85:
        return
    target = _on_ground(canvas, conditions, corners)
    if target is None:
        return
    mask = np.zeros(canvas.depth.shape, np.uint8)
    points = np.round(np.clip(target, -16_000, 16_000) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, shift=4)
    np.minimum(canvas.sunlight, 1 - mask.astype(np.float32) / 255, out=canvas.sunlight)


def touch_ground(canvas: Canvas, x: float, z: float, reach_x: float, reach_z: float, strength: float = 0.65) -> None:
    """Darken the ground where a thing of the given half extents in metres keeps the sky's light away."""
    window = canvas.ground_box(x, z, reach_x * 2.2, reach_z * 2.2)
    if window is None:
        return
    px, pz = canvas.ground_points(window)
    away = ((px - x) / reach_x) ** 2 + ((pz - z) / reach_z) ** 2
    canvas.contact[window] *= 1 - strength * np.exp(-(away**1.5))


def _on_ground(canvas: Canvas, conditions: Conditions, corners: list[Point]) -> np.ndarray | None:
    """Where the shadows of world points fall, in pixels (N, 2); None where one falls behind the camera."""
    east, up, north = conditions.sun
    ground = [(x - y * east / up, 0.0, z - y * north / up) for x, y, z in corners]
    if min(point[2] for point in ground) < 1.2:
        return None
    return canvas.camera.project(ground)
