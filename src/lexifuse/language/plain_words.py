"""Severities to plain words, so that sliders and pixels can speak to a network that only hears sentences."""

from __future__ import annotations

from collections.abc import Mapping

from lexifuse.instruction import ASKED_FOR, DEGRADATIONS

NOTHING_ASKED = "fuse the infrared and the visible image"
"""What is said where nothing is asked for."""

_COMPLAINTS = {
    "visible.low_light": "the visible image is {}dark",
    "visible.over_exposure": "the visible image is {}over-exposed",
    "visible.noise": "the visible image is {}noisy",
    "visible.haze": "the visible image is {}hazy",
    "visible.rain": "the visible image is {}rainy",
    "visible.blur": "the visible image is {}blurred",
    "infrared.low_contrast": "the infrared image is {}low in contrast",
    "infrared.noise": "the infrared image is {}noisy",
    "infrared.stripes": "the infrared image is {}striped",
}
SLIGHT_BELOW, SEVERE_FROM = 0.45, 0.75
"""Severities below the first are called slight, from the second on severe; in between nothing is said of how much."""


def say(severities: Mapping[str, float]) -> str:
    """Severities 0..1 in plain words.

    >>> say({"visible.haze": 0.9, "infrared.noise": 0.3})
    'the visible image is very hazy, the infrared image is slightly noisy'
    """
    parts = [
        _COMPLAINTS[name].format(
            "slightly " if severities[name] < SLIGHT_BELOW else "very " if severities[name] >= SEVERE_FROM else ""
        )
        for name in DEGRADATIONS
        if severities.get(name, 0.0) >= ASKED_FOR
    ]
    return ", ".join(parts) or NOTHING_ASKED
