"""The loop over pairs and methods: read, fuse, measure, remember."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets import Dataset, PairFiles
from lexifuse.errors import InputError
from lexifuse.evaluation.cache import ResultCache, file_hash, key
from lexifuse.evaluation.methods import Method, Sources, check_labels
from lexifuse.metrics import METRICS, NINE, VERSION, NiqeParameters, chroma_error, fusion_metrics, luma, niqe
from lexifuse.pair import read_image, read_pair
from lexifuse.pixels import is_coloured

SOURCES_VERSION = 2
"""Raised when pairs are read differently: stored results of another version are not used."""

WORKERS = 2
"""Pairs that are measured at the same time."""

CHROMA = "chroma_error"
"""The column of the colour outputs' chroma error."""

NIQE = "NIQE"
"""The column of the evaluator without a reference."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All values of one data set.

    Attributes:
        dataset: its name.
        columns: the measured names: metrics, then ``NIQE`` and ``chroma_error`` where there are any.
        pairs: names of the pairs that every method has an output for.
        values: label -> (pairs, columns) float64, NaN where undefined; in the order of the rows.
        trivial: the labels of the trivial fusions.
        missing: label -> names of the pairs without output, for the methods that lack some.
    """

    dataset: str
    columns: tuple[str, ...]
    pairs: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    trivial: frozenset[str]
    missing: Mapping[str, tuple[str, ...]]

    def column(self, name: str) -> dict[str, NDArray[np.float64]]:
        """The values (pairs,) of one column, by label."""
        index = self.columns.index(name)
        return {label: table[:, index] for label, table in self.values.items()}


def higher_is_better(column: str) -> bool:
    """The direction of a column."""
    return METRICS[column].higher_is_better if column in METRICS else False


def common_items(dataset: Dataset, methods: Sequence[Method]) -> tuple[list[PairFiles], dict[str, tuple[str, ...]]]:
    """The pairs that every method has an output for, and label -> the names of those that it lacks.

    Raises:
        InputError: no pair is left.
    """
    missing = {
        method.label: absent
        for method in methods
        if (absent := tuple(item.name for item in dataset.items if not method.has(item)))
    }
    gone = {name for names in missing.values() for name in names}
    items = [item for item in dataset.items if item.name not in gone]
    if not items:
        raise InputError(f"no pair of {dataset.name} has an output of every method: measure them one by one")
    return items, missing


def evaluate(
    dataset: Dataset,
    methods: Sequence[Method],
    *,
    metrics: Sequence[str] = NINE,
    niqe_parameters: NiqeParameters | None = None,
    cache: ResultCache | None = None,
    workers: int = WORKERS,
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Measure every method on the pairs that all of them have an output for.

    Args:
        dataset: the pairs.
        methods: the rows, in the order of the table.
        metrics: names from :data:`lexifuse.metrics.METRICS`.
        niqe_parameters: adds the column ``NIQE``.
        cache: where results are looked up and kept; None computes everything.
        workers: pairs measured at the same time.
        advance: called after each pair, from any thread.

    Raises:
        InputError: a picture cannot be read, or an output has another size than its sources; all of them are named.
    """
    check_labels(methods)
    items, missing = common_items(dataset, methods)
    columns = (*metrics, *([NIQE] if niqe_parameters else []), CHROMA)
    measure = _Measurer(tuple(metrics), niqe_parameters, cache or ResultCache(None))

    def work(item: PairFiles) -> dict[str, dict[str, float]] | InputError:
        try:
            return measure.pair(item, methods)
        except InputError as error:
            return error
        finally:
            advance()

    with ThreadPoolExecutor(max(1, min(workers, os.cpu_count() or 1))) as pool:
        results = list(pool.map(work, items))
    _raise_all([result for result in results if isinstance(result, InputError)])
    measured = [result for result in results if not isinstance(result, InputError)]
    values = {
        method.label: np.array([[row[method.label][name] for name in columns] for row in measured])
        for method in methods
    }
    if all(np.isnan(table[:, -1]).all() for table in values.values()):  # no colour output at all
        columns, values = columns[:-1], {label: table[:, :-1] for label, table in values.items()}
    trivial = frozenset(method.label for method in methods if method.trivial)
    return Evaluation(dataset.name, columns, tuple(item.name for item in items), values, trivial, missing)


def read_sources(item: PairFiles) -> Sources:
    """Read a pair as a fusion sees it: raw counts of an infrared picture are stretched to its range.

    Raises:
        InputError: a file cannot be read, or the sizes differ.
    """
    infrared, visible = read_image(item.infrared), read_image(item.visible)
    if infrared.shape[:2] != visible.shape[:2]:
        raise InputError(f"{item.name}: infrared {_size(infrared)}, visible {_size(visible)}")
    # 8 bits hold no raw counts, and the luma of the metrics is rounded exactly.
    seen = infrared if infrared.dtype == np.uint8 else read_pair(infrared, visible).infrared
    return Sources(item, luma(seen), luma(visible), visible)


class _Measurer:
    """Values of all methods on one pair, from the cache where they are known."""

    def __init__(self, metrics: tuple[str, ...], parameters: NiqeParameters | None, cache: ResultCache) -> None:
        self.metrics = metrics
        self.parameters = parameters
        self.cache = cache
        model = "" if parameters is None else repr((parameters.mean.tolist(), parameters.covariance.tolist()))
        self.version = f"metrics {VERSION} sources {SOURCES_VERSION} {' '.join(metrics)} {model}"

    def pair(self, item: PairFiles, methods: Sequence[Method]) -> dict[str, dict[str, float]]:
        """Column -> value, by label."""
        hashes = file_hash(item.infrared), file_hash(item.visible)
        names = {method.label: key(self.version, *hashes, method.identity(item)) for method in methods}
        values = {label: stored for label, name in names.items() if (stored := self.cache.get(name)) is not None}
        unknown = [method for method in methods if method.label not in values]
        if unknown:
            sources = read_sources(item)
            for method in unknown:
                values[method.label] = self._measure(method, sources)
                self.cache.put(names[method.label], values[method.label])
        return values

    def _measure(self, method: Method, sources: Sources) -> dict[str, float]:
        fused = method.fuse(sources)
        if fused.shape[:2] != sources.visible.shape:
            raise InputError(
                f"{sources.item.name} of '{method.label}': {_size(fused)}, source {_size(sources.visible)}"
            )
        plane = luma(fused)
        values = fusion_metrics(sources.infrared, sources.visible, plane, self.metrics)
        if self.parameters is not None:
            values[NIQE] = niqe(plane, self.parameters)
        coloured = fused.ndim == 3 and is_coloured(fused)
        values[CHROMA] = chroma_error(sources.colours, fused) if coloured else math.nan
        return values


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _raise_all(problems: Sequence[InputError], most: int = 10) -> None:
    if problems:
        listed = "; ".join(str(problem) for problem in problems[:most])
        more = f"; and {len(problems) - most} more" if len(problems) > most else ""
        raise InputError(
            f"{len(problems)} pairs cannot be measured ({listed}{more}): outputs must be readable "
            "and have the size of their source"
        )
