"""Draws what stands along a street: trees, hedges, lamp posts, traffic signs and lights, bollards, hoardings."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lexifuse.datasets._street.canvas import RGB, Canvas, Floats, Light, Sprite, noise_patch
from lexifuse.datasets._street.facades import printed
from lexifuse.datasets._street.painter import Material, Painter
from lexifuse.datasets._street.plan import Conditions

_LEAVES: tuple[RGB, ...] = ((0.075, 0.115, 0.030), (0.055, 0.095, 0.035), (0.110, 0.130, 0.035), (0.17, 0.10, 0.025))


def tree(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """A tree at ground point (x, z), in leaf or bare; None when outside the frame."""
    height = float(rng.uniform(5.0, 11.0))
    spread = height * float(rng.uniform(0.28, 0.42))
    painter = Painter(canvas, [(x - spread * 1.25, -0.05, z), (x + spread * 1.25, height * 1.08, z)])
    if not painter.visible:
        return None
    bark = painter.material(
        Material((0.075, 0.058, 0.045), conditions.air + 1.4 + 0.15 * conditions.stored, grain=0.35, warmth=0.7)
    )
    bare = rng.random() < 0.2
    trunk = 0.028 * height
    fork = height * float(rng.uniform(0.26, 0.38))
    scale = canvas.camera.scale(z)

    boughs: list[tuple[float, float, float, float]] = []
    radii: list[float] = []

    def grow(fx: float, fy: float, angle: float, length: float, radius: float, level: int) -> None:
        """A bough from (fx, fy) metres of the root, and its smaller boughs, until they are too thin to be seen."""
        if level == 0 or radius * scale < (0.2 if bare else 0.6):
            return
        tx, ty = fx + length * math.sin(angle), fy + length * math.cos(angle)
        boughs.append((fx, fy, tx, ty))
        radii.append(radius)
        for number in range(2 if rng.random() < 0.5 else 3):
            turn = angle + float(rng.normal(0, 0.28)) + (number - 1) * 0.45
            grow(tx, ty, turn, length * float(rng.uniform(0.62, 0.85)), radius * 0.66, level - 1)

    for angle in (-0.55, 0.0, 0.5):
        length = height * (0.2 if bare else 0.15)
        grow(0.0, fork, angle + float(rng.normal(0, 0.12)), length, trunk * 0.62, 5 if bare else 3)
    root = canvas.camera.project((x, 0, z))
    stem = root + np.array([(0, 0), (0, -0.25), (0, -fork)]) * scale
    painter.limb(stem, np.array([1.5, 1.0, 0.85]) * trunk * scale, bark)
    if boughs:
        painter.twigs(root + np.array(boughs).reshape(-1, 2, 2) * (scale, -scale), np.array(radii) * scale, bark)
    wood = painter.sprite(rng, z, light=conditions.sun[0], roundness=max(1.0, trunk * scale))
    if bare:
        return wood
    return _in_leaf(canvas, conditions, rng, wood, x, z, (fork * 0.75, height), spread)


def _in_leaf(
    canvas: Canvas,
    conditions: Conditions,
    rng: np.random.Generator,
    wood: Sprite,
    x: float,
    z: float,
    span: tuple[float, float],
    spread: float,
) -> Sprite:
    """Cover the boughs with a crown of leaf clumps between two heights."""
    low, high = span
    count = int(rng.integers(9, 16))
    mid, half = (low + high) / 2, (high - low) / 2
    angles = rng.uniform(0, 2 * math.pi, count)
    reach = np.sqrt(rng.uniform(0.1, 1.0, count))
    clumps = np.stack(
        [
            x + spread * 0.72 * reach * np.cos(angles),
            mid + half * 0.62 * reach * np.sin(angles),
            rng.uniform(0.30, 0.52, count) * min(spread, half),
        ],
        axis=-1,
    )
    colour = np.array(_LEAVES[rng.choice(4, p=(0.35, 0.35, 0.2, 0.1))]) * rng.uniform(0.8, 1.25)
    return foliage(canvas, conditions, rng, wood, z, clumps, colour)


def foliage(
    canvas: Canvas,
    conditions: Conditions,
    rng: np.random.Generator,
    under: Sprite,
    z: float,
    clumps: np.ndarray,
    colour: np.ndarray,
) -> Sprite:
    """Lay leaf clumps over a sprite.

    Args:
        canvas: the scene; only its camera is read.
        conditions: weather and light.
        rng: source of the leaves.
        under: what is covered; its window bounds the leaves.
        z: distance in metres.
        clumps: (n, 3) of world x, world y and radius in metres.
        colour: linear RGB of a leaf.
    """
    shape, scale = under.alpha.shape, canvas.camera.scale(z)
    # Twigs and leaves break the outline: noise at two sizes moves every clump's edge.
    twigs = noise_patch(rng, 1.2, shape, 10.0 / scale)
    leaves = noise_patch(rng, 0.35, shape, 14.0 / scale)
    cover, shade = _clumps(canvas, conditions, under, scale, clumps, twigs, leaves)
    mix = cover[..., None]
    autumn = np.array([1.2, 0.5, -0.4], np.float32)
    hue = colour.astype(np.float32) * (1 + 0.22 * leaves)[..., None] * (1 + 0.10 * twigs[..., None] * autumn)
    warm = conditions.air + (0.8 if conditions.dark else 0.3) + 0.25 * (twigs + leaves) + 0.8 * (1 - shade)
    warm += 0.25 * conditions.solar * np.clip(shade - 0.5, 0, 1)
    return Sprite(
        under.left,
        under.top,
        np.maximum(under.alpha, cover),
        np.clip(under.albedo * (1 - mix) + np.clip(hue, 0.01, 0.5) * mix, 0, 1),
        under.temperature * (1 - cover) + warm * cover,
        under.emission * (1 - mix),
        under.shade * (1 - cover) + shade * cover,
        np.full(shape, z, np.float32),
    )


def _clumps(
    canvas: Canvas,
    conditions: Conditions,
    under: Sprite,
    scale: float,
    clumps: np.ndarray,
    twigs: Floats,
    leaves: Floats,
) -> tuple[Floats, Floats]:
    """Cover (h, w) and shade (h, w) of leaf clumps, the lowest drawn first, each a ball with a ragged edge."""
    camera, shape = canvas.camera, under.alpha.shape
    px = ((np.arange(shape[1]) + under.left + 0.5 - camera.centre) / scale).astype(np.float32)[None, :]
    py = (camera.elevation - (np.arange(shape[0]) + under.top + 0.5 - camera.horizon) / scale).astype(np.float32)
    rough, mottle = 0.16 * twigs + 0.20 * leaves, 0.22 * leaves + 0.1 * twigs
    cover, shade = np.zeros(shape, np.float32), np.full(shape, 0.3, np.float32)
    east, up = conditions.sun[0], max(conditions.sun[1], 0.35)
    for cx, cy, radius in clumps[np.argsort(clumps[:, 1])].tolist():
        reach = radius * 1.7
        left, right = np.searchsorted(px[0], (cx - reach, cx + reach))
        top, bottom = np.searchsorted(-py, (-cy - reach, -cy + reach))
        part = slice(top, bottom), slice(left, right)
        dx, dy = (px[:, part[1]] - cx) / radius, (py[part[0], None] - cy) / radius
        # The edge is as soft as a pixel is wide.
        edge = np.clip((1 - dx * dx - dy * dy + 1.5 * rough[part]) * (radius * scale / 1.8) + 0.5, 0, 1)
        lit = np.clip(0.52 + 0.34 * (dx * east + dy * up) + mottle[part], 0.1, 1.25)
        shade[part] += edge * (lit - shade[part])
        np.maximum(cover[part], edge, out=cover[part])
    return cover * np.clip((leaves + 0.6 * twigs + 2.1) * 2.0, 0, 1), shade


def hedge(
    canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float, reach: float
) -> Sprite | None:
    """A low bush ``2 * reach`` metres wide; None when outside the frame."""
    high = float(rng.uniform(0.7, 1.6))
    painter = Painter(canvas, [(x - reach * 1.2, -0.05, z), (x + reach * 1.2, high * 1.3, z)])
    if not painter.visible:
        return None
    empty = painter.sprite(rng, z)
    count = max(3, int(reach * 5 / high))
    clumps = np.stack(
        [
            x + rng.uniform(-0.8, 0.8, count) * reach,
            rng.uniform(0.2, 0.65, count) * high,
            rng.uniform(0.35, 0.5, count) * high,
        ],
        axis=-1,
    )
    colour = np.array(_LEAVES[rng.integers(3)]) * rng.uniform(0.7, 1.1)
    return foliage(canvas, conditions, rng, empty, z, clumps, colour)


def lamp_post(
    canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float, side: int, height: float
) -> Sprite | None:
    """A street lamp whose arm reaches over the road; lit (and added to the lamps) when it is dark."""
    arm = -side * 1.5
    head = (x + arm, height, z)
    if conditions.dark and z < 90:
        strength = 13.0 * (height / 6.5) ** 2 * rng.uniform(0.6, 1.2)
        canvas.lights.append(Light(head, _scaled(conditions.lamp, strength)))
    painter = Painter(canvas, [(x - 2.2, -0.05, z), (x + 2.2, height + 0.4, z)])
    if not painter.visible:
        return None
    scale = canvas.camera.scale(z)
    metal = painter.material(Material((0.16, 0.17, 0.17), conditions.air + 0.4, grain=0.1))
    glow = _scaled(conditions.lamp, 30.0) if conditions.dark else (0.0, 0.0, 0.0)
    glass = painter.material(Material((0.6, 0.6, 0.58), conditions.air + (22.0 if conditions.dark else 1.0), glow))
    project = canvas.camera.project
    pole = [
        (x, 0, z),
        (x, 1.0, z),
        (x, height - 0.5, z),
        (x + arm * 0.25, height - 0.05, z),
        (x + arm * 0.7, height + 0.05, z),
    ]
    painter.limb(project(pole), np.array([0.10, 0.07, 0.05, 0.045, 0.04]) * scale, metal)
    painter.limb(
        project([(x + arm * 0.65, height + 0.06, z), (x + arm * 1.18, height + 0.06, z)]),
        np.array([0.09, 0.07]) * scale,
        metal,
    )
    bulb = [(x + arm * 0.72, height - 0.03, z), (x + arm * 1.12, height - 0.03, z)]
    painter.limb(project(bulb), np.array([0.055, 0.055]) * scale, glass)
    return painter.sprite(rng, z, light=conditions.sun[0], roundness=max(0.8, 0.07 * scale))


def traffic_sign(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """A round, three- or four-cornered sign on a post: print to the eye, one even plate to the thermal camera."""
    painter = Painter(canvas, [(x - 0.6, -0.05, z), (x + 0.6, 3.1, z)])
    if not painter.visible:
        return None
    scale, project = canvas.camera.scale(z), canvas.camera.project
    plate_warmth = conditions.air - 1.2

    def plate(colour: RGB) -> int:
        return painter.material(Material(colour, plate_warmth, grain=0.03, warmth=0.1))

    post = painter.material(Material((0.22, 0.22, 0.22), conditions.air))
    white, red, blue, dark, yellow = (
        plate(colour)
        for colour in ((0.7, 0.7, 0.68), (0.55, 0.02, 0.03), (0.02, 0.09, 0.42), (0.03, 0.03, 0.03), (0.65, 0.42, 0.03))
    )
    painter.limb(project([(x, 0, z), (x, 2.9, z)]), np.array([0.035, 0.035]) * scale, post)
    centre = project((x, 2.45, z))
    kind = rng.integers(4)
    size = 0.36 * scale
    corners = np.array([[0, -1.05], [1.0, 0.7], [-1.0, 0.7]])
    if kind == 0:  # a limit: red ring, figures
        for radius, part in ((1.0, red), (0.76, white)):
            painter.disc(centre, size * radius, part, relief=125)
        for left in (-0.42, 0.06):
            painter.polygon(
                centre + np.array([[left, -0.32], [left + 0.34, -0.32], [left + 0.34, 0.34], [left, 0.34]]) * size,
                dark,
                120,
            )
            painter.polygon(
                centre
                + np.array([[left + 0.1, -0.2], [left + 0.24, -0.2], [left + 0.24, 0.2], [left + 0.1, 0.2]]) * size,
                white,
                125,
            )
    elif kind == 1:  # a warning: red triangle
        painter.polygon(centre + corners * size * 1.1, red, 125)
        painter.polygon(centre + (corners * 0.66 + [0, 0.04]) * size * 1.1, white, 125)
        painter.polygon(centre + np.array([[-0.08, -0.3], [0.08, -0.3], [0.05, 0.35], [-0.05, 0.35]]) * size, dark, 120)
    elif kind == 2:  # a direction: blue disc, arrow
        painter.disc(centre, size, blue, relief=125)
        arrow = [[-0.12, 0.6], [0.12, 0.6], [0.12, -0.05], [0.42, -0.05], [0.0, -0.62], [-0.42, -0.05], [-0.12, -0.05]]
        painter.polygon(centre + np.array(arrow) * size, white, 125)
    else:  # a yellow diamond
        diamond = np.array([[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]])
        painter.polygon(centre + diamond * size, white, 125)
        painter.polygon(centre + diamond * size * 0.84, yellow, 125)
    return painter.sprite(rng, z)


def traffic_light(
    canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float
) -> Sprite | None:
    """A traffic light on a post, one of its three lamps lit at any time of day."""
    painter = Painter(canvas, [(x - 0.5, -0.05, z), (x + 0.5, 3.6, z)])
    if not painter.visible:
        return None
    scale, project = canvas.camera.scale(z), canvas.camera.project
    metal = painter.material(Material((0.14, 0.15, 0.15), conditions.air + 0.3))
    case = painter.material(Material((0.02, 0.022, 0.02), conditions.air + 3.0, warmth=0.5))
    painter.limb(project([(x, 0, z), (x, 3.3, z)]), np.array([0.06, 0.05]) * scale, metal)
    box = project([(x - 0.17, 2.45, z), (x + 0.17, 2.45, z), (x + 0.17, 3.45, z), (x - 0.17, 3.45, z)])
    painter.polygon(box, case, 110)
    on = rng.integers(3)
    colours: tuple[RGB, ...] = ((1.0, 0.03, 0.02), (1.0, 0.45, 0.02), (0.03, 1.0, 0.45))
    for number, colour in enumerate(colours):
        lit = number == on
        glow = _scaled(colour, 6.0 if conditions.dark else 2.5) if lit else (0.0, 0.0, 0.0)
        warm = conditions.air + (12.0 if lit else 2.5)
        lamp = painter.material(Material(_scaled(colour, 0.12), warm, glow))
        painter.disc(project((x, 3.28 - number * 0.31, z)), 0.11 * scale, lamp, relief=128)
    return painter.sprite(rng, z)


def hoarding(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """A printed board on legs: a picture to the eye, an even plate to the thermal camera; backlit when dark."""
    wide, low, tall = float(rng.uniform(0.6, 1.1)), 0.5, float(rng.uniform(1.5, 2.1))
    painter = Painter(canvas, [(x - wide - 0.1, -0.05, z), (x + wide + 0.1, low + tall + 0.1, z)])
    if not painter.visible:
        return None
    project = canvas.camera.project
    lit = conditions.dark and rng.random() < 0.6
    warm = conditions.air + (4.0 if lit else -0.5)
    board = painter.material(Material((0.5, 0.5, 0.5), warm, grain=0.0, warmth=0.1))
    metal = painter.material(Material((0.10, 0.10, 0.11), conditions.air + 0.2))
    outline = np.array([(-wide, low), (wide, low), (wide, low + tall), (-wide, low + tall)])

    def plate(points: np.ndarray) -> np.ndarray:
        return project([(x + a, b, z) for a, b in points])

    for leg in (-0.8, 0.8):
        painter.limb(
            project([(x + leg * wide, 0, z), (x + leg * wide, low + 0.1, z)]),
            np.full(2, 0.05) * canvas.camera.scale(z),
            metal,
        )
    painter.polygon(plate(outline + np.array([(-0.07, -0.07), (0.07, -0.07), (0.07, 0.07), (-0.07, 0.07)])), metal, 120)
    painter.polygon(plate(outline), board, 128)
    sprite = painter.sprite(rng, z)
    corners = plate(outline) - (sprite.left, sprite.top)
    print_shape = (160, max(40, int(320 * wide / tall)))
    source = np.array([[0, 160], [print_shape[1], 160], [print_shape[1], 0], [0, 0]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    shape = sprite.alpha.shape
    sheet = cv2.GaussianBlur(printed(rng, print_shape), (0, 0), float(np.clip(60 / canvas.camera.scale(z), 0.1, 5)))
    art = cv2.warpPerspective(np.dstack([sheet, np.ones(print_shape, np.float32)]), matrix, (shape[1], shape[0]))
    cover = art[..., 3:]
    sprite.albedo[:] = sprite.albedo * (1 - cover) + art[..., :3]
    if lit:
        sprite.emission[:] = sprite.emission * (1 - cover) + art[..., :3] * 1.6
    return sprite


def bollard(canvas: Canvas, conditions: Conditions, rng: np.random.Generator, x: float, z: float) -> Sprite | None:
    """A waist-high post between road and pavement."""
    painter = Painter(canvas, [(x - 0.2, -0.05, z), (x + 0.2, 1.0, z)])
    if not painter.visible:
        return None
    scale, project = canvas.camera.scale(z), canvas.camera.project
    stone = painter.material(Material((0.20, 0.19, 0.17), conditions.air + 0.5 * conditions.stored, grain=0.2))
    band = painter.material(Material((0.6, 0.58, 0.5), conditions.air + 0.4 * conditions.stored))
    painter.limb(project([(x, 0.02, z), (x, 0.8, z)]), np.array([0.11, 0.10]) * scale, stone)
    painter.limb(project([(x, 0.66, z), (x, 0.70, z)]), np.array([0.10, 0.10]) * scale, band)
    return painter.sprite(rng, z, light=conditions.sun[0], roundness=0.1 * scale)


def _scaled(colour: RGB, factor: float) -> RGB:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
