"""What the words are for: how close the fusion of a damaged pair comes to the fusion of the clean one.

Every pair is damaged in nine ways at three severities and fused with the right words, without words, with words that
name another damage, and with the automatic instruction. The reference is the same model's plain
fusion of the clean pair; compared is the 8-bit luma.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse import degradations, metrics
from lexifuse.datasets import Dataset, PairFiles
from lexifuse.datasets.selection import spread
from lexifuse.evaluation.cache import ResultCache, file_hash, fusing_code, in_full, key
from lexifuse.instruction import DEGRADATIONS, PLAIN, SEVERE, SLIGHT
from lexifuse.language import read_prompt
from lexifuse.metrics import Plane, luma, psnr, ssim
from lexifuse.pair import ImagePair, read_pair

PAIRS = 12
"""Pairs that are measured unless asked otherwise: each is fused about a hundred times."""

SEVERITIES = (SLIGHT, PLAIN, SEVERE)
"""Severities of the damage, which the words name as "slightly", nothing and "severely"."""

RIGHT, NONE, WRONG, AUTOMATIC = "right words", "no words", "wrong words", "automatic"

SAME = 100.0
"""Decibels that identical images count as."""

VERSION = 1
"""Raised when the procedure changes: stored results of another version are not used."""

_PHRASES = {
    "visible.low_light": "the visible image is {}dark",
    "visible.over_exposure": "the visible image is {}overexposed",
    "visible.noise": "the visible image is {}noisy",
    "visible.haze": "the visible image is {}hazy",
    "visible.rain": "the visible image is {}rainy",
    "visible.blur": "the visible image is {}blurred",
    "infrared.low_contrast": "the infrared image has {}low contrast",
    "infrared.noise": "the infrared image is {}noisy",
    "infrared.stripes": "the infrared image is {}striped",
}
_ADVERBS = {SLIGHT: "slightly ", PLAIN: "", SEVERE: "severely "}


@dataclass(frozen=True, eq=False)
class Restoration:
    """Results of one model.

    Attributes:
        model: its name.
        pairs: names of the pairs.
        conditions: the requests that were compared, the right words first.
        values: (degradation, severity, condition) -> (pairs, 2) PSNR in decibels and SSIM.
    """

    model: str
    pairs: tuple[str, ...]
    conditions: tuple[str, ...]
    values: Mapping[tuple[str, float, str], NDArray[np.float64]]

    def mean(self, degradation: str, severity: float, condition: str) -> tuple[float, float]:
        """Mean PSNR and SSIM over the pairs; SSIM is NaN where every pair is smaller than its window."""
        found, similar = self.values[degradation, severity, condition].T
        defined = similar[~np.isnan(similar)]
        return float(found.mean()), float(defined.mean()) if defined.size else math.nan

    def gain(self, degradation: str, severity: float, condition: str = RIGHT) -> float:
        """Decibels that a condition gains over no words."""
        return self.mean(degradation, severity, condition)[0] - self.mean(degradation, severity, NONE)[0]

    def mean_gain(self, condition: str = RIGHT) -> float:
        """The mean gain over all degradations and severities."""
        return float(np.mean([self.gain(name, level, condition) for name in DEGRADATIONS for level in SEVERITIES]))


def in_words(degradation: str, severity: float) -> str:
    """A sentence that names a degradation and its strength.

    >>> in_words("visible.haze", 0.9)
    'the visible image is severely hazy'
    """
    nearest = min(SEVERITIES, key=lambda level: abs(level - severity))
    return _PHRASES[degradation].format(_ADVERBS[nearest])


def wrong_for(degradation: str) -> str:
    """Another degradation of the same source: the next one in the list."""
    source = degradation.partition(".")[0]
    same = [name for name in DEGRADATIONS if name.startswith(f"{source}.")]
    return same[(same.index(degradation) + 1) % len(same)]


def plan(datasets: Sequence[Dataset], pairs: int = PAIRS) -> list[PairFiles]:
    """At most so many pairs, spread evenly over the data sets and in each of them."""
    chosen = [item for dataset in datasets for item in spread(dataset.items, max(1, pairs // len(datasets)))]
    return spread(chosen, pairs)


def restore(
    fuser: Any,
    items: Sequence[PairFiles],
    *,
    cache: ResultCache | None = None,
    ask: Callable[[str, float], Any] = in_words,
    advance: Callable[[], None] = lambda: None,
) -> Restoration:
    """Damage, fuse and compare.

    Args:
        fuser: what ``lexifuse.load`` returns.
        items: the pairs.
        cache: where results are looked up and kept.
        ask: (degradation, severity) -> the prompt or :class:`lexifuse.Instruction` that asks for its repair.
        advance: called after each pair.

    Raises:
        InputError: a picture cannot be read.
    """
    conditions = (RIGHT, NONE, WRONG, AUTOMATIC)
    values: dict[tuple[str, float, str], list[tuple[float, float]]] = {}
    for item in items:
        trial = _Pair(fuser, item, cache or ResultCache(None))
        for degradation, severity in cells():
            for condition in conditions:
                found = trial.compare(degradation, severity, _request(degradation, severity, condition, ask))
                values.setdefault((degradation, severity, condition), []).append(found)
        advance()
    arrays = {cell: np.array(found) for cell, found in values.items()}
    return Restoration(fuser.model.name, tuple(item.name for item in items), conditions, arrays)


def cells() -> Iterator[tuple[str, float]]:
    """All degradations at all severities."""
    return ((degradation, severity) for degradation in DEGRADATIONS for severity in SEVERITIES)


def damage(pair: ImagePair, degradation: str, severity: float) -> ImagePair:
    """The pair with one source damaged; the seed comes from the pair's name."""
    seed = zlib.crc32(pair.name.encode())
    infrared, visible = degradations.degrade_pair(pair.infrared, pair.visible, {degradation: severity}, seed=seed)
    return ImagePair(infrared, visible, name=pair.name)


def to_json(results: Sequence[Restoration]) -> str:
    """An object per model, degradation and severity: mean PSNR and SSIM per condition, gain of the right words."""
    records = []
    for result in results:
        for degradation, severity in cells():
            means = {name: result.mean(degradation, severity, name) for name in result.conditions}
            records.append(
                {
                    "model": result.model,
                    "degradation": degradation,
                    "severity": severity,
                    "pairs": len(result.pairs),
                    "psnr": {name: round(found, 4) for name, (found, _) in means.items()},
                    "ssim": {
                        name: None if math.isnan(found) else round(found, 5) for name, (_, found) in means.items()
                    },
                    "psnr_gain": round(result.gain(degradation, severity), 4),
                }
            )
    return json.dumps(records, indent=1) + "\n"


def to_text(result: Restoration) -> str:
    """A Markdown table of PSNR / SSIM per degradation, severity and condition, with the gain of the right words."""
    lines = [
        f"### {result.model}: restoration ({len(result.pairs)} pairs, PSNR in dB / SSIM to the clean pair's fusion)",
        "",
        "| degradation | severity | " + " | ".join(result.conditions) + " | gain in dB |",
        "|---" * (len(result.conditions) + 3) + "|",
    ]
    for degradation, severity in cells():
        means = [result.mean(degradation, severity, name) for name in result.conditions]
        shown = " | ".join(f"{found:.2f} / {similar:.3f}" for found, similar in means)
        lines.append(f"| {degradation} | {severity:g} | {shown} | {result.gain(degradation, severity):+.2f} |")
    others = [name for name in result.conditions if name != NONE]
    summary = "; ".join(f"{name} {result.mean_gain(name):+.2f} dB" for name in others)
    return "\n".join([*lines, "", f"Mean gain over no words: {summary}.", ""])


def _request(degradation: str, severity: float, condition: str, ask: Callable[[str, float], Any]) -> Any:
    if condition == RIGHT:
        return ask(degradation, severity)
    if condition == WRONG:
        return ask(wrong_for(degradation), severity)
    return "auto" if condition == AUTOMATIC else None


class _Pair:
    """One pair: read, damaged and fused only where the cache does not know the answer."""

    def __init__(self, fuser: Any, item: PairFiles, cache: ResultCache) -> None:
        self.fuser = fuser
        self.item = item
        self.cache = cache
        self._clean: tuple[ImagePair, Plane] | None = None
        self._damaged: tuple[str, float, ImagePair] | None = None
        code = file_hash(Path(degradations.__file__))
        files = file_hash(item.infrared), file_hash(item.visible)
        version = f"restoration {VERSION} metrics {metrics.VERSION}"
        self.parts = (version, item.name, *files, fuser.model.sha256, code, fusing_code())

    def compare(self, degradation: str, severity: float, request: Any) -> tuple[float, float]:
        """PSNR and SSIM of one fusion of the damaged pair."""
        meant = read_prompt(request).instruction if isinstance(request, str) else request
        name = key(*self.parts, degradation, str(severity), in_full(request), in_full(meant))
        stored = self.cache.get(name)
        if stored is None:
            pair, reference = self._reference()
            if self._damaged is None or self._damaged[:2] != (degradation, severity):
                self._damaged = degradation, severity, damage(pair, degradation, severity)
            fused = luma(self.fuser.fuse_pair(self._damaged[2], request).image)
            stored = {"psnr": min(psnr(fused, reference), SAME), "ssim": ssim(fused, reference)}
            self.cache.put(name, stored)
        return stored["psnr"], stored["ssim"]

    def _reference(self) -> tuple[ImagePair, Plane]:
        if self._clean is None:
            pair = read_pair(self.item.infrared, self.item.visible)
            self._clean = pair, luma(self.fuser.fuse_pair(pair, None).image)
        return self._clean
