"""The samples of the page: scenes that lexifuse renders itself, some of them damaged, with words that suit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets.synthetic import render_scene
from lexifuse.degradations import degrade_pair
from lexifuse.pair import ImagePair

_HEIGHT, _WIDTH = 480, 640
_PREVIEW_HEIGHT, _PREVIEW_WIDTH = 120, 160


@dataclass(frozen=True)
class Sample:
    """A scene to try.

    Attributes:
        key: names it in addresses and file names.
        title: what one sees.
        words: that suit it.
        seed: of the scene.
        time: ``day``, ``dusk`` or ``night``.
        damage: severities 0..1 by degradation.
    """

    key: str
    title: str
    words: str
    seed: int
    time: str
    damage: Mapping[str, float] = field(default_factory=dict)

    def pair(self) -> ImagePair:
        """The pair at 640x480, rendered once."""
        return _rendered(self.key)

    def preview(self) -> NDArray[np.uint8]:
        """Infrared and visible side by side, small: (120, 160, 3) uint8, each a half of its picture."""
        return _previewed(self.key)

    def _render(self, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        scene = render_scene(self.seed, height=height, width=width, time=self.time)
        return degrade_pair(scene.infrared, scene.visible, self.damage, seed=self.seed, depth=scene.depth)


SAMPLES: Mapping[str, Sample] = {
    sample.key: sample
    for sample in (
        Sample("night", "Night", "it is too dark; make people stand out", 6, "night"),
        Sample("dusk", "Dusk", "slightly dark; make people stand out", 11, "dusk"),
        Sample("day", "Day", "keep the colours; make people stand out", 9, "day"),
        Sample(
            "haze",
            "Haze, stripes",
            "the visible image is severely hazy and the infrared has stripes",
            6,
            "day",
            {"visible.haze": 0.8, "infrared.stripes": 0.6},
        ),
        Sample(
            "noise",
            "Noisy night",
            "dark and noisy, and the thermal image is noisy too",
            3,
            "night",
            {"visible.noise": 0.6, "infrared.noise": 0.6},
        ),
        Sample("rain", "Rain", "remove the rain", 9, "day", {"visible.rain": 0.7}),
    )
}
"""The samples by key, the first one first."""


@cache
def _rendered(key: str) -> ImagePair:
    sample = SAMPLES[key]
    infrared, visible = sample._render(_HEIGHT, _WIDTH)  # noqa: SLF001 - of this file
    return ImagePair(infrared, visible, name=sample.key)


@cache
def _previewed(key: str) -> NDArray[np.uint8]:
    infrared, visible = SAMPLES[key]._render(_PREVIEW_HEIGHT, _PREVIEW_WIDTH)  # noqa: SLF001 - of this file
    half = _PREVIEW_WIDTH // 2
    return np.hstack([np.repeat(infrared[:, :half, None], 3, axis=2), visible[:, half:]])
