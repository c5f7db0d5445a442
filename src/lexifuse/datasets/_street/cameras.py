"""Turns the layers of a scene into what the two cameras record: a visible and a thermal infrared picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lexifuse.datasets._street.canvas import SKY_DEPTH, Canvas, Floats, Light
from lexifuse.datasets._street.plan import Conditions


def visible_picture(canvas: Canvas, conditions: Conditions, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Light the scene, let bright lamps bloom, and develop it: uint8 (H, W, 3) RGB."""
    light = _daylight(canvas, conditions)
    if canvas.lights:
        light += _lamplight(canvas, canvas.lights)
    radiance = canvas.albedo * light + canvas.emission
    _haze(radiance, canvas, conditions)
    if conditions.wet:
        _mirror(radiance, canvas, conditions)
    _bloom(radiance, conditions)
    radiance *= np.array(conditions.tint, np.float32) * np.float32(conditions.exposure)
    # An exponential shoulder for what is bright, then a gamma of 2.
    picture = cv2.sqrt(np.maximum(1 - cv2.exp(-radiance), 0))
    # A little softness of lens and sensor, and the faintest grain: this is the clean reference.
    soft = 0.35 + canvas.camera.height / 4000
    picture = cv2.GaussianBlur(picture, (0, 0), soft)
    grain = rng.standard_normal(canvas.depth.shape, dtype=np.float32) * (0.003 if conditions.time == "day" else 0.005)
    picture += grain[..., None]
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def infrared_picture(canvas: Canvas, conditions: Conditions, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Record the apparent temperatures as a long-wave camera does, white hot: uint8 (H, W)."""
    shape = canvas.depth.shape
    warmth = canvas.temperature.copy()
    if conditions.solar:
        sun = cv2.GaussianBlur(canvas.sunlight, (0, 0), max(1.0, shape[0] / 120))
        dark = 1 - canvas.albedo.mean(axis=-1)
        warmth += conditions.solar * canvas.flat * (0.35 + 0.65 * sun) * dark * conditions.sun[1]
    # Ground under a parked or standing thing keeps more (night) or gains less (day) heat than open ground.
    warmth += canvas.flat * (1 - canvas.contact) * (2.0 if conditions.dark else -1.5)
    haze = 1 - np.exp(-canvas.depth / (conditions.visibility * 1.5))
    warmth += np.where(canvas.depth < SKY_DEPTH, haze, 0) * (conditions.air - 2 - warmth)
    warmth = cv2.GaussianBlur(warmth, (0, 0), 0.45 + min(shape) / 1000)
    low = float(conditions.air - rng.uniform(6, 10))
    high = float(max(34.5 - rng.uniform(0, 3), np.percentile(warmth[::4, ::4], 99.0)))
    picture = np.clip((warmth - low) / (high - low), 0, None)
    picture = picture ** float(rng.uniform(0.95, 1.35))
    picture = np.where(picture > 0.85, 0.85 + 0.15 * np.tanh((picture - 0.85) / 0.15), picture)
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    tilt = rng.normal(0, 0.012, 2)
    picture = picture * (1 - 0.05 * (x * x + y * y)) + tilt[0] * x + tilt[1] * y + 0.025
    picture += rng.standard_normal(shape, dtype=np.float32) * 0.0035
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _daylight(canvas: Canvas, conditions: Conditions) -> Floats:
    sky, sun = np.array(conditions.sky_light, np.float32), np.array(conditions.sun_light, np.float32)
    upright = 1 - canvas.flat
    ambient = canvas.contact * (canvas.flat + upright * (0.35 + 0.45 * np.clip(canvas.shade, 0, 1.4)))
    light = ambient[..., None] * sky
    if sun.any():
        blur = max(0.6, canvas.camera.height / 500)
        cast = cv2.GaussianBlur(canvas.sunlight, (0, 0), blur)
        light += (canvas.shade * cast)[..., None] * sun
    return light


def _lamplight(canvas: Canvas, lights: list[Light]) -> Floats:
    """Light (H, W, 3) that the lamps throw on every surface, from each pixel's place in the world."""
    camera = canvas.camera
    # Light changes slowly over the picture: every second pixel is enough for a large one.
    step = 2 if min(canvas.depth.shape) >= 200 else 1
    every = (slice(None, None, step), slice(None, None, step))
    depth, flat = np.minimum(canvas.depth[every], 500), canvas.flat[every]
    u = np.arange(0, camera.width, step, dtype=np.float32)[None, :] + 0.5
    v = np.arange(0, camera.height, step, dtype=np.float32)[:, None] + 0.5
    x = (u - camera.centre) / camera.focal * depth
    y = camera.elevation - (v - camera.horizon) / camera.focal * depth
    shares = []
    upright = 0.55 * (1 - flat) * np.clip(0.4 + 0.6 * canvas.shade[every], 0.3, 1.3)
    contact = 0.4 + 0.6 * canvas.contact[every]
    for lamp in lights:
        px, py, pz = (np.float32(value) for value in lamp.position)
        dx, dy, dz = x - px, y - py, depth - pz
        nearness = 1 / (dx * dx + dy * dy + dz * dz + np.float32(0.3))
        inverse = np.sqrt(nearness)
        share = (flat * np.maximum(-dy, 0) * inverse + upright) * contact * nearness
        if lamp.direction is None:
            share *= np.clip(np.float32(0.25) - dy * inverse, 0.0, 1.0)
        else:
            ax, ay, az = (np.float32(value) for value in lamp.direction)
            share *= np.maximum((dx * ax + dy * ay + dz * az) * inverse, 0) ** np.float32(lamp.focus)
        shares.append(share.ravel())
    colours = np.array([lamp.colour for lamp in lights], np.float32)
    light = (np.stack(shares, axis=-1) @ colours).reshape(*depth.shape, 3)
    if step == 1:
        return light
    matrix = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    size = (camera.width, camera.height)
    return cv2.warpAffine(light, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _haze(radiance: Floats, canvas: Canvas, conditions: Conditions) -> None:
    air = np.array(conditions.sky_low, np.float32)
    share = (1 - np.exp(-canvas.depth / conditions.visibility)) * (canvas.depth < SKY_DEPTH)
    radiance += share[..., None] * (air - radiance)


def _mirror(radiance: Floats, canvas: Canvas, conditions: Conditions) -> None:
    """Let wet ground mirror what stands beyond it, smeared downwards as ripples do."""
    camera = canvas.camera
    first = int(np.clip(camera.horizon, 0, camera.height))
    if first < 2 or first >= camera.height - 1:
        return
    rows = np.clip(2 * camera.horizon - np.arange(first, camera.height) - 1, 0, first - 1).astype(int)
    mirrored = np.minimum(radiance[rows], 12.0)
    smear = max(1.0, camera.height / 30)
    mirrored = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=max(0.7, camera.height / 240), sigmaY=smear)
    v = np.arange(first, camera.height, dtype=np.float32)[:, None] + 0.5
    grazing = np.exp(-(v - camera.horizon) / camera.focal * 4.0)
    share = canvas.flat[first:] * (0.05 + 0.28 * grazing) * conditions.wet * canvas.contact[first:]
    radiance[first:] += share[..., None] * (mirrored - 0.3 * radiance[first:])


def _bloom(radiance: Floats, conditions: Conditions) -> None:
    """Spread light of bright sources over their surroundings, as lens and air do; wider where they are brighter."""
    height, width = radiance.shape[:2]
    excess = np.clip(radiance - (0.9 if conditions.dark else 2.2), 0, 25)
    if not excess.any():
        return
    small = (max(1, width // 4), max(1, height // 4))
    spread = cv2.resize(excess, small, interpolation=cv2.INTER_AREA)
    unit = max(height, width) / 640 / 4
    glow = np.zeros_like(spread)
    for sigma, share in ((5.0, 0.42), (16.0, 0.30), (48.0, 0.20)):
        glow += share * cv2.GaussianBlur(spread, (0, 0), max(0.4, sigma * unit))
    radiance += cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR) * (0.9 if conditions.dark else 0.25)
    near = cv2.GaussianBlur(excess, (0, 0), max(0.5, 6 * unit))
    radiance += 0.3 * near
