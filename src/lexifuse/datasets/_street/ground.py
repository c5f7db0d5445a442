"""Paints what lies behind everything else: the sky with its clouds, and the road, kerbs, pavements and verges."""

from __future__ import annotations

import numpy as np

from lexifuse.datasets._street.canvas import SKY_DEPTH, Canvas, Floats, noise_at
from lexifuse.datasets._street.plan import Conditions, Street


def paint_sky(canvas: Canvas, conditions: Conditions, rng: np.random.Generator) -> None:
    """Fill the canvas with sky: a gradient and clouds to the eye, cold and colder upwards to the thermal camera."""
    camera = canvas.camera
    # The last 500 m of ground are thinner than this many pixels; below them everything is painted over.
    bottom = camera.horizon + camera.focal * camera.elevation / 500 + 2
    shape = int(np.clip(np.ceil(bottom), 1, camera.height)), camera.width
    v = np.arange(shape[0], dtype=np.float32)[:, None] + 0.5
    u = np.arange(shape[1], dtype=np.float32)[None, :] + 0.5
    rise = np.clip((camera.horizon - v) / camera.focal, 0.0, None)
    # Clouds hang on a plane overhead, so they shrink and flatten towards the horizon.
    far = (1.0 / (rise + 0.12)).astype(np.float32)
    ox, oy = rng.uniform(0, 400, 2)
    across = ((u - camera.centre) / camera.focal * far * 60 + ox).astype(np.float32)
    away = np.broadcast_to(far * 60 + oy, shape).astype(np.float32)
    cloud = noise_at(1.5, across, away) + 0.25 * noise_at(0.9, across * 3, away * 3)
    cover = np.clip((cloud - 1.1 + 2.2 * conditions.overcast) / 1.2, 0, 1)
    blend = np.clip(1 - np.exp(-rise * 3.2), 0, 1)[..., None]
    low, top = np.array(conditions.sky_low, np.float32), np.array(conditions.sky_top, np.float32)
    clear = low * (1 - blend) + top * blend
    white = {"day": (1.25, 1.25, 1.25), "dusk": (0.42, 0.33, 0.36), "night": low * 0.9}[conditions.time]
    shaded = np.asarray(white, np.float32) * (0.8 + 0.12 * cloud)[..., None] * (0.75 + 0.25 * (1 - blend))
    soft = (0.75 * cover * (1 - 0.35 * conditions.overcast))[..., None]
    canvas.emission[: shape[0]] = np.clip(clear * (1 - soft) + np.clip(shaded, 0, None) * soft, 0, None)
    lift = np.clip(1 - np.exp(-rise * 5.0), 0, 1)
    warmest = conditions.air - 4
    sky = warmest + (conditions.sky_temperature - warmest) * lift
    canvas.temperature[: shape[0]] = sky + cover * lift * 0.35 * (conditions.air - conditions.sky_temperature)


def paint_ground(canvas: Canvas, street: Street, conditions: Conditions, rng: np.random.Generator) -> None:
    """Paint the ground below the horizon in perspective, every edge averaged over the pixel that it crosses."""
    camera = canvas.camera
    first = int(np.clip(np.ceil(camera.horizon + camera.focal * camera.elevation / 500 - 0.5), 0, camera.height))
    if first == camera.height:
        return
    rows = slice(first, camera.height)
    x, z = canvas.ground_points((rows, slice(0, camera.width)))
    across = x - (street.middle + street.bend * z * z / 2)
    wide = z / camera.focal
    long = z * z / (camera.focal * camera.elevation)
    surface = _Surface(across, z, wide, long, rng)
    albedo, temperature = _road(surface, street, conditions, rng)
    _markings(surface, street, albedo, temperature, rng)
    _sides(surface, street, conditions, albedo, temperature, rng)
    temperature += 0.7 * surface.stains + 0.2 * surface.grain
    canvas.albedo[rows] = np.clip(albedo, 0.01, 0.9)
    canvas.temperature[rows] = temperature
    canvas.emission[rows] = 0.0
    canvas.depth[rows] = np.minimum(z, SKY_DEPTH)
    canvas.flat[rows] = 1.0
    canvas.shade[rows] = conditions.sun[1]
    _manholes(canvas, street, rng)


class _Surface:
    """Ground coordinates of a block of pixels, and the extent ``wide``, ``long`` in metres of each pixel."""

    def __init__(self, across: Floats, z: Floats, wide: Floats, long: Floats, rng: np.random.Generator) -> None:
        self.across, self.z, self.wide, self.long = across, z, wide, long
        self._away = np.broadcast_to(z, across.shape)
        self._rng = rng
        # Stains, mottle and grain are drawn once: road, pavement and grass never meet in one place.
        self.stains, self.mottle, self.grain = self.noise(1.5, 2.0), self.noise(0.6, 10.0, 1.6), self.noise(0.0, 50.0)

    def noise(self, slope: float, texels: float, stretch: float = 1.0) -> Floats:
        """Noise with ``texels`` texels per metre, faded where a pixel spans many; ``stretch`` lengthens it ahead."""
        ox, oy = self._rng.uniform(0, 500, 2).astype(np.float32)
        reach = np.float32(texels)
        x = np.clip(self.across, -300, 300) * reach + ox
        fade = 1 / (1 + (texels * self.wide * 0.7) ** 2 + (texels / stretch * self.long * 0.25) ** 2)
        return noise_at(slope, x, np.clip(self._away, 0, 400) * (reach / stretch) + oy) * fade.astype(np.float32)

    def stripe(self, low: float, high: float) -> Floats:
        """Share of each pixel that lies between two positions across the road."""
        return np.clip((high - self.across) / self.wide + 0.5, 0, 1) - np.clip(
            (low - self.across) / self.wide + 0.5, 0, 1
        )

    def band(self, low: float, high: float) -> Floats:
        """Share of each pixel that lies between two distances (h, 1)."""
        return np.clip((high - self.z) / self.long + 0.5, 0, 1) - np.clip((low - self.z) / self.long + 0.5, 0, 1)

    def dashes(self, period: float, length: float, start: float) -> Floats:
        """Share of each pixel (h, 1) covered by dashes along the road."""
        return _pulse(self.z - start, period, length, self.long)

    def bars(self, period: float, length: float) -> Floats:
        """Share of each pixel covered by bars laid side by side across the road."""
        return _pulse(self.across, period, length, self.wide)


def _pulse(position: Floats, period: float, length: float, footprint: Floats) -> Floats:
    def integral(value: Floats) -> Floats:
        turns = np.floor(value / period)
        return turns * length + np.minimum(value - turns * period, length)

    return (integral(position + footprint / 2) - integral(position - footprint / 2)) / footprint


def _road(surface: _Surface, street: Street, conditions: Conditions, rng: np.random.Generator) -> tuple[Floats, Floats]:
    tone = rng.uniform(0.075, 0.15)
    value = tone * (1 + 0.16 * surface.stains + 0.14 * surface.mottle + 0.24 * surface.grain)
    # Two wheel tracks in every lane: the asphalt is polished darker and warmer.
    from_middle = np.abs(surface.across / street.lane % 1 - 0.5) * street.lane
    worn = np.exp(-(((from_middle - 0.75) / 0.32) ** 2)) * (np.abs(surface.across) < street.half)
    value *= 1 - 0.1 * worn
    warm = conditions.air + conditions.stored + rng.uniform(0.0, 0.8) * worn
    for _ in range(rng.integers(1, 5)):  # patches where the road was mended
        left, near = rng.uniform(-street.half, street.half), rng.uniform(4, 30)
        patch = surface.stripe(left, left + rng.uniform(0.6, 2.4)) * surface.band(near, near + rng.uniform(1, 8))
        change = rng.uniform(0.72, 1.22)
        value *= 1 + (change - 1) * patch
        warm += rng.normal(0, 0.8) * patch
    for joint in rng.uniform(-street.half, street.half, 2):
        seam = surface.stripe(joint - 0.012, joint + 0.012)
        value *= 1 - 0.5 * seam
    cracks = np.clip(1 - np.abs(surface.noise(1.5, 5.0)) * 14, 0, 1) * np.clip(surface.stains - 0.2, 0, 1)
    value *= 1 - 0.5 * cracks
    if conditions.wet:
        puddle = np.clip(surface.stains * 0.8 + conditions.wet, 0, 1)
        value *= 1 - 0.45 * puddle
    cast = (1 + rng.normal(0, 0.02, 3)).astype(np.float32)
    return value[..., None] * cast, warm


def _markings(surface: _Surface, street: Street, albedo: Floats, temperature: Floats, rng: np.random.Generator) -> None:
    wear = np.clip(0.86 + 0.22 * surface.mottle + 0.12 * surface.grain, 0, 1)
    start = rng.uniform(0, 8)
    lines = np.zeros_like(wear)
    lanes = round((street.half - 0.4) / street.lane)
    for at in (side * lane * street.lane for lane in range(1, lanes) for side in (-1, 1)):
        lines += surface.stripe(at - 0.06, at + 0.06) * surface.dashes(9.0, 3.0, start)
    if rng.random() < 0.6:
        for at in (0.35 - street.half, street.half - 0.35):
            lines += 0.9 * surface.stripe(at - 0.06, at + 0.06)
    if not street.yellow:
        lines += surface.stripe(-0.07, 0.07) * surface.dashes(6.0, 3.0, start)
    near, open_road = street.crossing, 1.0
    if near is not None:
        open_road = 1 - surface.band(near - 2.4, near + 3.8)
        kerb = street.half - 0.3
        lines *= open_road
        lines += surface.band(near, near + 3.2) * surface.bars(1.0, 0.5) * surface.stripe(-kerb, kerb)
        lines += surface.band(near - 1.8, near - 1.4) * surface.stripe(*sorted((0.0, street.hand * kerb)))
    _paint(albedo, temperature, lines * wear, (0.58, 0.58, 0.56))
    if street.yellow:
        double = surface.stripe(-0.2, -0.08) + surface.stripe(0.08, 0.2)
        _paint(albedo, temperature, double * wear * open_road, (0.60, 0.40, 0.08))


def _paint(albedo: Floats, temperature: Floats, share: Floats, colour: tuple[float, float, float]) -> None:
    albedo += share[..., None] * (np.array(colour, np.float32) - albedo)
    temperature -= 1.1 * share


def _sides(
    surface: _Surface,
    street: Street,
    conditions: Conditions,
    albedo: Floats,
    temperature: Floats,
    rng: np.random.Generator,
) -> None:
    slab = rng.uniform(0.4, 0.9)
    tone = (rng.uniform(0.17, 0.28) * (1 + rng.normal(0, 0.05, 3))).astype(np.float32)
    joints = np.clip(
        _pulse(surface.across, slab, 0.02, surface.wide) + _pulse(surface.z, slab, 0.02, surface.long), 0, 1
    )
    paving = 1 + 0.12 * surface.mottle + 0.10 * surface.grain - 0.45 * joints
    grass = 1 + 0.28 * surface.mottle + 0.30 * surface.grain
    green = np.array([0.075, 0.105, 0.03], np.float32) * rng.uniform(0.7, 1.3)
    half, edge = street.half, street.half + street.pavement
    walk = 1 - surface.stripe(-half, half)
    albedo += walk[..., None] * (paving[..., None] * tone - albedo)
    temperature += walk * (conditions.air + 0.6 * conditions.stored - temperature)
    for side, kind in zip((-1, 1), street.sides, strict=True):
        if kind == "city":
            continue
        lawn = surface.stripe(*sorted((side * edge, side * 1e4)))
        albedo += lawn[..., None] * (grass[..., None] * green - albedo)
        cool = 1.0 if conditions.time == "day" else 2.5
        temperature += lawn * (conditions.air - cool + 0.5 * grass - temperature)
    kerb = surface.stripe(half, half + 0.16) + surface.stripe(-half - 0.16, -half)
    stones = (1 - 0.5 * surface.dashes(1.0, 0.03, 0.0)) * 1.25
    albedo += kerb[..., None] * (stones[..., None] * tone - albedo)
    gutter = surface.stripe(half - 0.22, half) + surface.stripe(-half, 0.22 - half)
    albedo *= (1 - 0.45 * gutter)[..., None]
    temperature += 0.8 * kerb - 0.5 * gutter


def _manholes(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    """Iron lids that both cameras see, and warm ground that only the thermal camera sees."""
    for hidden in (False, False, True, True):
        z = float(rng.uniform(5, 26))
        x = street.centre(z) + float(rng.uniform(-1, 1)) * (street.half + (street.pavement if hidden else 0))
        radius = float(rng.uniform(0.3, 0.4)) if not hidden else float(rng.uniform(0.3, 0.9))
        warmth = float(rng.normal(2, 3)) if not hidden else float(rng.uniform(4, 14))
        window = canvas.ground_box(x, z, radius * 2.5, radius * 2.5)
        if window is None:
            continue
        px, pz = canvas.ground_points(window)
        away = np.hypot(px - x, pz - z) / radius
        if hidden:
            canvas.temperature[window] += warmth * np.exp(-(away**2)) * canvas.flat[window]
            continue
        soft = np.maximum(pz * pz / (canvas.camera.focal * canvas.camera.elevation) / radius, 1e-3)
        lid = np.clip((1 - away) / soft + 0.5, 0, 1) * canvas.flat[window]
        ring = lid * np.clip((away - 0.86) / soft + 0.5, 0, 1)
        pattern = 0.85 + 0.3 * (np.sin(px * 60) * np.sin(pz * 60) > 0) * np.clip(1 - soft, 0, 1)
        canvas.albedo[window] *= (1 - lid * (1 - 0.62 * pattern))[..., None]
        canvas.albedo[window] *= (1 - 0.4 * ring)[..., None]
        canvas.temperature[window] += warmth * lid
