"""The promises a shipped model's card carries: restoration at severity 0.7, real nights, and plain fusion untouched."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets import Dataset, PairFiles
from lexifuse.degradations import degrade_pair
from lexifuse.evaluation.nights import NightResult, brighten, mean_result
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.metrics import fusion_metrics, luma
from lexifuse.pair import ImagePair, read_pair
from lexifuse.pixels import is_night

SEVERITY = 0.7
"""Severity of the damage, and of the instruction that asks for its repair."""

_SAME = 60.0


@dataclass(frozen=True)
class Promises:
    """What a model does on the pairs of some data sets.

    Attributes:
        pairs: how many were measured.
        gain: degradation to decibels: PSNR (RGB) of fuse(damaged, right instruction) to fuse(clean, plain), minus
            that of fuse(damaged, plain), mean over the pairs; low light on day pairs only.
        mean_gain: mean over the nine.
        wrong: the same for an instruction that names another damage of the same source: at most about 0.
        metrics: means of the plain fusion's nine metrics per data set.
        nights: what ``low_light`` 0.8 does to the night pairs, or None where there are none.
    """

    pairs: int
    gain: dict[str, float]
    mean_gain: float
    wrong: dict[str, float]
    metrics: dict[str, dict[str, float]]
    nights: NightResult | None

    def to_dict(self) -> dict[str, Any]:
        """Rounded, as it goes into a card."""
        return {
            "pairs": self.pairs,
            "severity": SEVERITY,
            "gain_db": {name: round(value, 2) for name, value in self.gain.items()},
            "mean_gain_db": round(self.mean_gain, 2),
            "wrong_instruction_gain_db": {name: round(value, 2) for name, value in self.wrong.items()},
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
    wrong: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
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
            for name in DEGRADATIONS:
                if not (night and name == "visible.low_light"):
                    right, other = _gain(fuser, pair, clean, name)
                    gains[name].append(right)
                    wrong[name].append(other)
            pairs += 1
            advance()
    gain = {name: float(np.mean(values)) for name, values in gains.items() if values}
    means = {name: {key: float(np.mean([r[key] for r in rows])) for key in rows[0]} for name, rows in metrics.items()}
    other = {name: float(np.mean(values)) for name, values in wrong.items() if values}
    mean = float(np.mean(list(gain.values())))
    return Promises(pairs, gain, mean, other, means, mean_result(nights) if nights else None)


def _gain(fuser: Any, pair: ImagePair, clean: NDArray[Any], name: str) -> tuple[float, float]:
    """Decibels gained by the right and by a wrong instruction over none."""
    seed = zlib.crc32(pair.name.encode())
    damaged = ImagePair(*degrade_pair(pair.infrared, pair.visible, {name: SEVERITY}, seed=seed), name=pair.name)

    def closeness(**severities: float) -> float:
        fused = fuser.fuse_pair(damaged, Instruction().with_values(severities)).image
        error = np.mean((fused.astype(np.float64) - clean) ** 2)
        return min(10 * np.log10(255.0**2 / max(error, 1e-9)), _SAME)

    without = closeness()
    return closeness(**{name: SEVERITY}) - without, closeness(**{_another(name): SEVERITY}) - without


def _another(name: str) -> str:
    """The next degradation of the same source."""
    same = [other for other in DEGRADATIONS if other.split(".")[0] == name.split(".")[0]]
    return same[(same.index(name) + 1) % len(same)]


def spread(items: Sequence[PairFiles], limit: int) -> list[PairFiles]:
    """At most so many of the items, evenly spread; all where 0."""
    count = min(limit, len(items)) if limit else len(items)
    return [items[index * len(items) // count] for index in range(count)]
