"""How fast a model is, told so that a noisy machine does not spoil it.

All cases take turns: in every round each case runs once, in an order drawn anew. A slow moment of the machine then hits
all of them alike, and what is compared is the median of the ratios within rounds. The machine's own limits (a dense
convolution, a matrix product, a copy) take part as cases, so that a share of the peak is a ratio of one round, too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lexifuse.errors import UsageError
from lexifuse.evaluation.engines import FIRST_WORDS, ORT, OTHER_WORDS, engines, ort_session, traffic, words
from lexifuse.evaluation.machine import fresh_process, machine_facts, usable_cores
from lexifuse.evaluation.rooflines import rooflines
from lexifuse.models import find_model

SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
"""Widths and heights in pixels."""

STANDARD = (640, 480)
"""The size that cards state their GMAC for, and that the shares of the peak are told for."""

WARM_UP = 2
"""Runs of every case that are not counted."""

LEAST = 5
"""Counted runs of a case, however slow it is."""

STARTS = 3
"""Fresh processes for the cold start; the median is told."""


@dataclass(frozen=True)
class BenchSettings:
    """What is timed.

    Attributes:
        model: name or folder.
        sizes: (width, height) in pixels.
        threads: numbers of CPU threads.
        repeats: counted runs of a case.
        seconds: a case that has taken this long gets no more runs than :data:`LEAST`.
        seed: of the pictures and of the order.
    """

    model: str
    sizes: Sequence[tuple[int, int]] = SIZES
    threads: Sequence[int] = ()
    repeats: int = 20
    seconds: float = 10.0
    seed: int = 0


@dataclass(frozen=True)
class CaseKey:
    """One thing that is timed; a roofline has no size, nor have words, which are timed at 640x480 only."""

    engine: str
    threads: int
    width: int = 0
    height: int = 0


def bench(
    settings: BenchSettings, tell: Callable[[str, int, int], None] = lambda _what, _done, _total: None
) -> dict[str, Any]:
    """Measure and return all as JSON data: ``machine``, ``model``, ``latency``, ``words``, ``peak``, ``cold_start``.

    Args:
        settings: what is timed.
        tell: called with what is being done, and how many of how many steps are done.

    Raises:
        UsageError: there is nothing to time.
        ModelError: the model cannot be run.
    """
    threads = tuple(settings.threads) or tuple(sorted({1, usable_cores()}))
    if not settings.sizes or settings.repeats < 1 or min(threads) < 1:
        raise UsageError("nothing to time: give at least one size, one thread and one repeat")
    card = find_model(settings.model).card
    before = machine_facts()
    tell("loading", 0, 1)
    cases, work = _cases(settings, threads)
    times = take_turns(cases, settings, lambda done, total: tell("timing", done, total))
    starts = []
    total = STARTS + len(settings.sizes)
    for index in range(STARTS):
        tell("cold start", index, total)
        starts.append(fresh_process(settings.model, *STANDARD, max(threads)))
    memory = {}
    for index, (width, height) in enumerate(settings.sizes):
        tell("peak memory", STARTS + index, total)
        memory[f"{width}x{height}"] = fresh_process(settings.model, width, height, max(threads))["peak"]
    gigabytes = traffic(settings.model, *STANDARD)
    return {
        "machine": before | {"load_average_after": machine_facts()["load_average"]},
        "settings": asdict(settings) | {"threads": list(threads), "warm_up": WARM_UP},
        "model": {
            "name": card.name,
            "sha256": card.sha256,
            "parameters": card.parameters,
            "gmac_640x480": card.gmac,
            "gigabytes_moved_640x480": round(gigabytes, 4),
        },
        "latency": [
            _latency(case, found, times, card.gmac, card.size_multiple) for case, found in times.items() if case.width
        ],
        "words": _words(times, max(threads)),
        "peak": _peaks(times, work, card.gmac, gigabytes, threads),
        "cold_start": {
            f"{step}_seconds": round(statistics.median(float(start[step] or 0) for start in starts), 4)
            for step in ("import", "load", "fuse")
        },
        "peak_memory_bytes": memory,
    }


def take_turns(
    cases: Mapping[CaseKey, Callable[[], object]],
    settings: BenchSettings,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[CaseKey, list[float]]:
    """Seconds of every case, the entry of round r at place r; a case that stopped early has fewer.

    Args:
        cases: what to time.
        settings: ``repeats``, ``seconds`` and ``seed`` count here.
        tell: called with the rounds that are done, and how many there are.
    """
    for run in cases.values():
        for _ in range(WARM_UP):
            run()
    rng = np.random.default_rng(settings.seed)
    keys = list(cases)
    times: dict[CaseKey, list[float]] = {key: [] for key in keys}
    for done in range(settings.repeats):
        tell(done, settings.repeats)
        for index in rng.permutation(len(keys)):
            found = times[keys[index]]
            if len(found) >= LEAST and sum(found) > settings.seconds:
                continue
            started = time.perf_counter()
            cases[keys[index]]()
            found.append(time.perf_counter() - started)
    return times


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Median over the rounds of how many times longer ``one`` took than ``other`` in the same round."""
    return statistics.median(a / b for a, b in zip(one, other, strict=False))


def _cases(
    settings: BenchSettings, threads: Sequence[int]
) -> tuple[dict[CaseKey, Callable[[], object]], dict[CaseKey, float]]:
    """Everything to time, and the work of one call of each roofline."""
    cases: dict[CaseKey, Callable[[], object]] = {}
    work: dict[CaseKey, float] = {}
    for count in threads:
        for engine in engines(settings.model, count, settings.seed):
            for width, height in dict.fromkeys([*settings.sizes, STANDARD]):
                run = engine.prepare(width, height)
                if run is not None:
                    cases[CaseKey(engine.label, count, width, height)] = run
        for roofline in rooflines(count, ort_session):
            key = CaseKey(roofline.name, count)
            cases[key], work[key] = roofline.run, roofline.work
    for label, run in words(settings.model, max(threads), STANDARD, settings.seed).items():
        cases[CaseKey(label, max(threads))] = run
    return cases, work


def _latency(
    case: CaseKey, found: Sequence[float], times: Mapping[CaseKey, Sequence[float]], gmac: float, multiple: int
) -> dict[str, Any]:
    """One row of the latency table."""
    median = statistics.median(found)
    padded = -(-case.width // multiple) * -(-case.height // multiple) * multiple**2
    work = gmac * padded / (STANDARD[0] * STANDARD[1])
    reference = times.get(CaseKey(ORT, case.threads, case.width, case.height))
    return {
        **asdict(case),
        "runs": len(found),
        "median_ms": round(1000 * median, 3),
        "p95_ms": round(1000 * float(np.percentile(found, 95)), 3),
        "pairs_per_second": round(1 / median, 3),
        "gmac_per_second": round(work / median, 2),
        "times_onnx_runtime": round(ratio(found, reference), 3) if reference else None,
    }


def _words(times: Mapping[CaseKey, Sequence[float]], threads: int) -> dict[str, Any]:
    """The wait for the first words for a pair of 640x480 and for other words, and how these compare within rounds."""
    first, other = (times[CaseKey(label, threads)] for label in (FIRST_WORDS, OTHER_WORDS))
    return {
        "threads": threads,
        "first_ms": round(1000 * statistics.median(first), 3),
        "other_ms": round(1000 * statistics.median(other), 3),
        "other_to_first": round(ratio(other, first), 3),
    }


def _peaks(
    times: Mapping[CaseKey, Sequence[float]],
    work: Mapping[CaseKey, float],
    gmac: float,
    gigabytes: float,
    threads: Sequence[int],
) -> list[dict[str, Any]]:
    """Per number of threads: the machine's peaks, and the share of them that each engine reaches at 640x480."""
    rows = []
    for count in threads:
        limits = {key.engine: key for key in work if key.threads == count}
        speeds = {name: work[key] / statistics.median(times[key]) for name, key in limits.items()}
        fastest = max(("convolution", "matrix product"), key=lambda name: speeds[name])
        compute, copy = limits[fastest], limits["copy"]
        shares = {}
        for case, found in times.items():
            if case.threads == count and (case.width, case.height) == STANDARD:
                # the time that the work would take at the peak of the same round, over the time it took
                calculating = ratio(times[compute], found) * gmac / work[compute]
                moving = ratio(times[copy], found) * gigabytes / work[copy]
                shares[case.engine] = {"of_compute": round(calculating, 4), "of_copy": round(moving, 4)}
        rows.append(
            {
                "threads": count,
                "convolution_gmac_per_second": round(speeds["convolution"], 2),
                "matrix_product_gmac_per_second": round(speeds["matrix product"], 2),
                "copy_gigabytes_per_second": round(speeds["copy"], 2),
                "share_at_640x480": shares,
            }
        )
    return rows
