"""The fusion metrics by the names of the literature, and all of them at once for one fused image."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from numpy.typing import ArrayLike

from lexifuse.errors import UsageError
from lexifuse.metrics.edges import edge_preservation, fusion_artefacts
from lexifuse.metrics.information import entropy, feature_mutual_information, mutual_information
from lexifuse.metrics.planes import Plane, same_size
from lexifuse.metrics.reference import fusion_psnr
from lexifuse.metrics.statistics import (
    average_gradient,
    correlation_coefficient,
    spatial_frequency,
    standard_deviation,
    sum_of_correlations_of_differences,
)
from lexifuse.metrics.structure import structural_similarity, visual_information_fidelity

VERSION = 1
"""Raised when the value of any metric changes: stored results of another version are not used."""

NINE = ("EN", "SD", "SF", "AG", "MI", "SCD", "VIF", "Qabf", "SSIM")
"""The nine metrics of every table, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A fusion metric.

    Attributes:
        name: its short name in the literature.
        title: the name written out.
        compute: (infrared, visible, fused), each (H, W) uint8 luma -> float.
        higher_is_better: the direction in which tables rank it.
        undefined_when: what makes it NaN; empty when it is always defined.
    """

    name: str
    title: str
    compute: Callable[[Plane, Plane, Plane], float]
    higher_is_better: bool = True
    undefined_when: str = ""


def _of_fused(function: Callable[[ArrayLike], float]) -> Callable[[Plane, Plane, Plane], float]:
    return lambda _infrared, _visible, fused: function(fused)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("EN", "entropy", _of_fused(entropy)),
            Metric("SD", "standard deviation", _of_fused(standard_deviation)),
            Metric("SF", "spatial frequency", _of_fused(spatial_frequency)),
            Metric("AG", "average gradient", _of_fused(average_gradient)),
            Metric("MI", "mutual information", mutual_information),
            Metric(
                "SCD",
                "sum of the correlations of differences",
                sum_of_correlations_of_differences,
                undefined_when="a source, or its difference from the fused image, is constant",
            ),
            Metric(
                "VIF",
                "visual information fidelity",
                visual_information_fidelity,
                undefined_when="a source is constant, or the image is smaller than 17x17",
            ),
            Metric("Qabf", "edge preservation", edge_preservation, undefined_when="both sources are black"),
            Metric(
                "SSIM",
                "structural similarity",
                structural_similarity,
                undefined_when="the image is smaller than 7x7",
            ),
            Metric(
                "SSIM_literature",
                "structural similarity with data range 2, as many papers print it",
                partial(structural_similarity, data_range=2.0),
                undefined_when="the image is smaller than 7x7",
            ),
            Metric("CC", "correlation coefficient", correlation_coefficient, undefined_when="an image is constant"),
            Metric(
                "FMI",
                "feature mutual information",
                feature_mutual_information,
                undefined_when="the image is smaller than 3x3",
            ),
            Metric("Nabf", "fusion artefacts", fusion_artefacts, higher_is_better=False),
            Metric("PSNR", "peak signal-to-noise ratio to both sources", fusion_psnr),
        )
    }
)
"""Every metric that takes a pair and a fused image, by name: the nine and five more."""


def fusion_metrics(
    infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike, names: Iterable[str] = NINE
) -> dict[str, float]:
    """Measure one fused image.

    Args:
        infrared: (H, W) uint8 luma, as :func:`lexifuse.metrics.luma` makes it.
        visible: likewise, of the same size.
        fused: likewise.
        names: which of :data:`METRICS`.

    Returns:
        name -> value, in the order of ``names``. NaN where a metric is undefined (``METRICS[name].undefined_when``).

    Raises:
        InputError: an image is not a luma plane, or their sizes differ.
        UsageError: a name is unknown.

    >>> import numpy as np
    >>> grey = np.full((20, 20), 128, np.uint8)
    >>> fusion_metrics(grey, grey, grey, ["EN", "SSIM"])
    {'EN': 0.0, 'SSIM': 2.0}
    """
    planes = same_size(infrared=infrared, visible=visible, fused=fused)
    return {name: metric_named(name).compute(*planes) for name in names}


def metric_named(name: str) -> Metric:
    """One of :data:`METRICS`. Raises :class:`UsageError` with the nearest name when there is no such metric."""
    if name in METRICS:
        return METRICS[name]
    close = difflib.get_close_matches(name.lower(), [known.lower() for known in METRICS], n=1)
    nearest = next((known for known in METRICS if close and known.lower() == close[0]), None)
    hint = f"did you mean '{nearest}'?" if nearest else f"choose from {', '.join(METRICS)}"
    raise UsageError(f"unknown metric '{name}': {hint}")
