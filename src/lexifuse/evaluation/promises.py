"""The promises a shipped model's card carries: restoration at severity 0.7, real nights, and plain fusion untouched."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets import Dataset
from lexifuse.datasets.selection import spread
from lexifuse.degradations import degrade_pair
from lexifuse.evaluation.nights import NightResult, brighten, mean_result
from lexifuse.evaluation.restoration import wrong_for
from lexifuse.instruction import DEGRADATIONS, PLAIN, Instruction
from lexifuse.language import Reading
from lexifuse.metrics import fusion_metrics, luma
from lexifuse.pair import ImagePair, read_pair
from lexifuse.pixels import change_depth, is_night

SEVERITY = 0.7
"""Severity of the damage, and of the instruction that asks for its repair ("haze 70 %")."""

TWO_AT_ONCE = (
    ("visible.low_light", "infrared.noise"),
    ("visible.over_exposure", "infrared.stripes"),
    ("visible.noise", "infrared.low_contrast"),
    ("visible.haze", "visible.noise"),
    ("visible.rain", "infrared.noise"),
    ("infrared.noise", "infrared.stripes"),
)
"""Degradations that are also applied, and asked to be repaired, together."""

_SAME = 60.0


@dataclass(frozen=True)
class Promises:
    """What a model does on the pairs of some data sets.

    Attributes:
        pairs: how many were measured.
        gain: degradation to decibels: PSNR (RGB, in 8 bits) of fuse(damaged, right instruction) to fuse(clean, plain),
            minus that of fuse(damaged, plain), mean over the pairs; low light on day pairs only.
        mean_gain: mean over the nine.
        plain_words: the same gain of words that do not say how much ("hazy"): the pixels say.
        wrong: that of words which name another damage of the same source: at most about 0.
        two: the gain of the right instruction for each of :data:`TWO_AT_ONCE`, the two joined by ``+``.
        metrics: means of the plain fusion's nine metrics per data set.
        nights: what ``low_light`` 0.8 does to the night pairs, or None where there are none.
    """

    pairs: int
    gain: dict[str, float]
    mean_gain: float
    plain_words: dict[str, float]
    wrong: dict[str, float]
    two: dict[str, float]
    metrics: dict[str, dict[str, float]]
    nights: NightResult | None

    def to_dict(self) -> dict[str, Any]:
        """Rounded, as it goes into a card."""
        return {
            "pairs": self.pairs,
            "severity": SEVERITY,
            "gain_db": {name: round(value, 2) for name, value in self.gain.items()},
            "mean_gain_db": round(self.mean_gain, 2),
            "plain_words_gain_db": {name: round(value, 2) for name, value in self.plain_words.items()},
            "mean_plain_words_gain_db": round(float(np.mean(list(self.plain_words.values()))), 2),
            "wrong_instruction_gain_db": {name: round(value, 2) for name, value in self.wrong.items()},
            "two_at_once_gain_db": {name: round(value, 2) for name, value in self.two.items()},
            "plain": {name: {key: round(v, 3) for key, v in row.items()} for name, row in self.metrics.items()},
            "nights": None if self.nights is None else {k: round(v, 4) for k, v in asdict(self.nights).items()},
        }


def keep_promises(
    fuser: Any, datasets: Sequence[Dataset], *, limit: int = 0, advance: Callable[[], None] = lambda: None
) -> Promises:
    """Measure a model.

    Args:
        fuser: what ``lexifuse.load`` returns.
        datasets: whose pairs are used.
        limit: at most this many pairs of each, evenly spread; all where 0.
        advance: called after each pair.
    """
    gains: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
    plainly: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
    wrong: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
    two: dict[str, list[float]] = {"+".join(names): [] for names in TWO_AT_ONCE}
    metrics: dict[str, list[dict[str, float]]] = {}
    nights: list[NightResult] = []
    pairs = 0
    for dataset in datasets:
        for item in spread(dataset.items, limit):
            pair = read_pair(item.infrared, item.visible)
            clean = fuser.fuse_pair(pair).image
            planes = luma(pair.infrared), luma(pair.visible), luma(clean)
            metrics.setdefault(dataset.name, []).append(fusion_metrics(*planes))
            night = is_night(pair.visible)
            if night:
                nights.append(brighten(fuser, pair))
            # A night is not a darkened day: there is nothing to compare its brightened picture with.
            for name in (one for one in DEGRADATIONS if not (night and one == "visible.low_light")):
                asked = told((name,)), mentioned(name), mentioned(wrong_for(name))
                right, plain, other = _gains(fuser, pair, clean, (name,), asked)
                gains[name].append(right)
                plainly[name].append(plain)
                # "Dark" is true of every night, whatever else is wrong with it.
                if not (night and wrong_for(name) == "visible.low_light"):
                    wrong[name].append(other)
            for names in (both for both in TWO_AT_ONCE if not (night and "visible.low_light" in both)):
                two["+".join(names)] += _gains(fuser, pair, clean, names, (told(names),))
            pairs += 1
            advance()
    gain, words, other, both = (
        {name: float(np.mean(values)) for name, values in figures.items() if values}
        for figures in (gains, plainly, wrong, two)
    )
    means = {name: {key: float(np.mean([r[key] for r in rows])) for key in rows[0]} for name, rows in metrics.items()}
    mean = float(np.mean(list(gain.values())))
    return Promises(pairs, gain, mean, words, other, both, means, mean_result(nights) if nights else None)


def told(names: Sequence[str]) -> Reading:
    """A reading of words that name degradations and say how bad they are."""
    return Reading("", Instruction().with_values(dict.fromkeys(names, SEVERITY)), by_hand=tuple(names))


def mentioned(name: str) -> Reading:
    """A reading of words that name a degradation and leave open how bad it is."""
    return Reading("", Instruction().with_values({name: PLAIN}))


def _gains(
    fuser: Any, pair: ImagePair, clean: NDArray[Any], damage: Sequence[str], asked: Sequence[Reading]
) -> list[float]:
    """Decibels gained over no words by each request about a damaged pair.

    Compared is in 8 bits, whatever the depth of the pictures.
    """
    reference = change_depth(clean, np.uint8)
    seed = zlib.crc32(pair.name.encode())
    severities = dict.fromkeys(damage, SEVERITY)
    damaged = ImagePair(*degrade_pair(pair.infrared, pair.visible, severities, seed=seed), name=pair.name)

    def closeness(request: Reading | None) -> float:
        fused = change_depth(fuser.fuse_pair(damaged, request).image, np.uint8)
        error = np.mean((fused.astype(np.float64) - reference) ** 2)
        return min(10 * np.log10(255.0**2 / max(error, 1e-9)), _SAME)

    without = closeness(None)
    return [closeness(request) - without for request in asked]
