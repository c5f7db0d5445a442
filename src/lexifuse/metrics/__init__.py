"""Fusion metrics: one fixed definition each, on 8-bit luma.

>>> import numpy as np
>>> from lexifuse import metrics
>>> ir, visible = np.eye(20, dtype=np.uint8) * 255, np.full((20, 20), 100, np.uint8)
>>> round(metrics.fusion_metrics(metrics.luma(ir), metrics.luma(visible), np.maximum(ir, visible))["SD"], 2)
33.78
"""

from lexifuse.metrics.catalogue import METRICS, NINE, VERSION, Metric, fusion_metrics, metric_named
from lexifuse.metrics.edges import edge_preservation, fusion_artefacts
from lexifuse.metrics.information import entropy, feature_mutual_information, mutual_information
from lexifuse.metrics.niqe import NiqeParameters, niqe
from lexifuse.metrics.planes import Plane, luma
from lexifuse.metrics.reference import chroma_error, fusion_psnr, psnr
from lexifuse.metrics.statistics import (
    average_gradient,
    correlation_coefficient,
    spatial_frequency,
    standard_deviation,
    sum_of_correlations_of_differences,
)
from lexifuse.metrics.structure import ssim, structural_similarity, visual_information_fidelity

__all__ = [
    "METRICS",
    "NINE",
    "VERSION",
    "Metric",
    "NiqeParameters",
    "Plane",
    "average_gradient",
    "chroma_error",
    "correlation_coefficient",
    "edge_preservation",
    "entropy",
    "feature_mutual_information",
    "fusion_artefacts",
    "fusion_metrics",
    "fusion_psnr",
    "luma",
    "metric_named",
    "mutual_information",
    "niqe",
    "psnr",
    "spatial_frequency",
    "ssim",
    "standard_deviation",
    "structural_similarity",
    "sum_of_correlations_of_differences",
    "visual_information_fidelity",
]
