"""How well damage is told from the pixels alone: F1 and severity error per degradation, and false alarms."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lexifuse.automatic import PixelReading
from lexifuse.datasets import Dataset
from lexifuse.datasets.selection import spread
from lexifuse.degradations import degrade_pair
from lexifuse.instruction import DEGRADATIONS, PLAIN, SEVERE, SLIGHT
from lexifuse.pair import ImagePair, read_pair
from lexifuse.pixels import is_night

_DARK = "visible.low_light"
_MIXTURES = 3


class Reader(Protocol):
    """Anything that reads pictures."""

    def read(self, pair: ImagePair) -> PixelReading:
        """What seems damaged in a pair."""
        ...


@dataclass(frozen=True, eq=False)
class PixelFigures:
    """Measured on damaged and undamaged pairs.

    Attributes:
        pairs: how many; each is seen undamaged, with each degradation alone (slight, plain and severe in turn), and
            with two at once.
        f1: degradation to the F1 of its detection over all of these; NaN where none is damaged so, as no night is
            by darkness.
        error: degradation to the mean absolute error of its severity over all of these, 0 where it is not there;
            NaN where nobody can tell, as of darkness at night.
        error_present: the same over those that are damaged so; NaN where none is.
        false_alarms: share of undamaged pairs of which any damage is said; darkness at night is none.
        nights: share of night pairs, undamaged, that are called dark; NaN where there are none.
    """

    pairs: int
    f1: dict[str, float]
    error: dict[str, float]
    error_present: dict[str, float]
    false_alarms: float
    nights: float

    def to_dict(self) -> dict[str, Any]:
        """Rounded, as it goes into a card; None where a figure is undefined, and means of those that are not."""

        def rounded(values: dict[str, float]) -> dict[str, float | None]:
            return {name: _rounded(value) for name, value in values.items()}

        return {
            "pairs": self.pairs,
            "f1": rounded(self.f1),
            "mean_f1": _rounded(_mean(self.f1.values())),
            "severity_error": rounded(self.error),
            "mean_severity_error": _rounded(_mean(self.error.values())),
            "severity_error_where_damaged": rounded(self.error_present),
            "false_alarms": _rounded(self.false_alarms),
            "nights_called_dark": _rounded(self.nights),
        }


def measure_reading(
    reader: Reader, datasets: Sequence[Dataset], *, limit: int = 0, advance: Callable[[], None] = lambda: None
) -> PixelFigures:
    """Read undamaged and damaged pairs.

    Args:
        reader: what reads them.
        datasets: whose pairs are used.
        limit: at most this many pairs of each, evenly spread; all where 0.
        advance: called after each pair.
    """
    truth: list[NDArray[np.float64]] = []
    found: list[NDArray[np.float64]] = []
    alarms: list[bool] = []
    dark: list[bool] = []
    pairs = 0
    for item in (item for dataset in datasets for item in spread(dataset.items, limit)):
        pair = read_pair(item.infrared, item.visible)
        night = is_night(pair.visible)
        clean = _severities(reader.read(pair))
        counted = np.array([not (night and name == _DARK) for name in DEGRADATIONS])
        alarms.append(bool((clean[counted] > 0).any()))
        if night:
            dark.append(bool(clean[DEGRADATIONS.index(_DARK)] > 0))
        for damage in trials(pair.name, night):
            asked = np.array([damage.get(name, 0.0) for name in DEGRADATIONS])
            seed = zlib.crc32(f"{pair.name} {sorted(damage)}".encode())
            damaged = ImagePair(*degrade_pair(pair.infrared, pair.visible, damage, seed=seed), name=pair.name)
            answer = _severities(reader.read(damaged))
            # A night is dark already: whether it is called so says nothing.
            truth.append(np.where(counted, asked, np.nan))
            found.append(answer)
        pairs += 1
        advance()
    return _figures(pairs, np.array(truth), np.array(found), alarms, dark)


def trials(name: str, night: bool) -> Iterator[dict[str, float]]:
    """What is done to a pair: nothing, each degradation alone, and a few times two at once, drawn from its name."""
    yield {}
    possible = [item for item in DEGRADATIONS if not (night and item in (_DARK, "visible.over_exposure"))]
    levels = (SLIGHT, PLAIN, SEVERE)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for degradation in possible:
        yield {degradation: levels[int(rng.integers(3))]}
    visible = [item for item in possible if item.startswith("visible.")]
    infrared = [item for item in possible if item.startswith("infrared.")]
    for _ in range(_MIXTURES):
        yield {str(rng.choice(group)): levels[int(rng.integers(3))] for group in (visible, infrared)}


def _severities(reading: PixelReading) -> NDArray[np.float64]:
    return np.array([reading.instruction.severity(name) for name in DEGRADATIONS])


def _figures(
    pairs: int, truth: NDArray[np.float64], found: NDArray[np.float64], alarms: list[bool], dark: list[bool]
) -> PixelFigures:
    f1, error, error_present = {}, {}, {}
    for index, name in enumerate(DEGRADATIONS):
        known = ~np.isnan(truth[:, index])
        wanted, got = truth[known, index], found[known, index]
        present, off = wanted > 0, np.abs(wanted - got)
        hits = np.sum(present & (got > 0))
        f1[name] = float(2 * hits / (present.sum() + np.sum(got > 0))) if present.any() else math.nan
        error[name] = _mean(off)
        error_present[name] = _mean(off[present])
    return PixelFigures(pairs, f1, error, error_present, _mean(alarms), _mean(dark))


def _mean(values: Iterable[float]) -> float:
    """The mean of what is defined, NaN where nothing is."""
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
