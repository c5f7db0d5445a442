"""What is measured of a pair and its boxes, in words: a bare list of objects, a description, and a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES
from lexifuse.pixels import NIGHT_LUMA, luma, to_float

DUSK_LUMA = 92 / 255
"""Mean luma, 0..1, below which a visible picture that is no night counts as dusk."""

_PLACES: Mapping[str, str] = {
    "msrs": "a street",
    "llvip": "a street corner seen from above",
    "llvip256": "a street corner seen from above",
    "m3fd": "a road",
    "roadscene": "a road",
    "kaist": "a street",
    "dronevehicle": "a road seen from a drone",
    "wisard_reg": "a forest seen from a drone",
    "synthetic": "a street",
}
"""Data set to where its pictures were taken; "a scene" for others."""

_LIGHT = {"night": "at night", "dusk": "at dusk", "day": "by day"}
_WEATHER = {"clear": "", "fog": " in fog", "rain": " in rain"}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
_PLURALS = {"person": "people", "vehicle": "vehicles"}
_DAMAGE = {
    "visible.low_light": "the visible image is dark",
    "visible.over_exposure": "the visible image is overexposed",
    "visible.noise": "the visible image is noisy",
    "visible.haze": "the visible image is hazy",
    "visible.rain": "there is rain in the visible image",
    "visible.blur": "the visible image is blurred",
    "infrared.low_contrast": "the infrared image has low contrast",
    "infrared.noise": "the infrared image is noisy",
    "infrared.stripes": "the infrared image has stripes",
}


def prompts_by_hand(dataset: str, name: str) -> dict[str, str]:
    """The prompts that somebody wrote while looking at a pair, as far as there are any: ``scene`` and ``request``."""
    return dict(_by_hand().get((dataset, name), {}))


@lru_cache(maxsize=1)
def _by_hand() -> dict[tuple[str, str], dict[str, str]]:
    lines = Path(__file__).with_name("hand_prompts.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {(row["dataset"], row["name"]): {kind: row[kind] for kind in ("scene", "request")} for row in rows}


def light_of(visible: NDArray[Any]) -> str:
    """``night``, ``dusk`` or ``day``, by the mean luma of (H, W, 3) or (H, W)."""
    mean = float(to_float(luma(visible)).mean())
    return "night" if mean < NIGHT_LUMA else "dusk" if mean < DUSK_LUMA else "day"


def measured_scene(
    dataset: str, visible: NDArray[Any], labels: Sequence[str], damaged: Sequence[str]
) -> dict[str, Any]:
    """The facts that prompts are made from.

    Args:
        dataset: name of the data set.
        visible: the visible picture, (H, W, 3) or (H, W).
        labels: the class of every object.
        damaged: the degradations that the pixels were taken for, as ``visible.haze``.
    """
    weather = "rain" if "visible.rain" in damaged else "fog" if "visible.haze" in damaged else "clear"
    return {
        "place": _PLACES.get(dataset, "a scene"),
        "light": light_of(visible),
        "weather": weather,
        "counts": {name: int(np.sum([label == name for label in labels])) for name in CLASSES},
        "degradations": list(damaged),
    }


def prompts_of(scene: Mapping[str, Any]) -> dict[str, str]:
    """Three prompts for one scene.

    >>> scene = {"place": "a street", "light": "night", "weather": "clear", "counts": {"person": 2, "vehicle": 0},
    ...          "degradations": ["visible.low_light"]}
    >>> prompts_of(scene)["scene"]
    'a street at night with two people; the visible image is dark'
    """
    counts = {name: number for name, number in scene["counts"].items() if number}
    damage = [_DAMAGE[name] for name in scene["degradations"]]
    objects = " and ".join(_counted(name, number) for name, number in counts.items())
    described = f"{scene['place']} {_LIGHT[scene['light']]}{_WEATHER[scene['weather']]}"
    described += f" with {objects}" if objects else " with nobody and no vehicle"
    wishes = [f"make the {' and the '.join(_PLURALS[name] for name in counts)} stand out"] if counts else []
    return {
        "objects": ", ".join(counts),
        "scene": "; ".join([described, *damage]),
        "request": "; ".join([*damage, *wishes]),
    }


def _counted(name: str, number: int) -> str:
    if number == 1:
        return f"one {name}"
    return f"{_NUMBERS[number] if number < len(_NUMBERS) else 'many'} {_PLURALS[name]}"
