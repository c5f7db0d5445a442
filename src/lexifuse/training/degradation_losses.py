"""The losses of Text-IF (arXiv 2403.16387): four terms per sample, weighted by the degradation that its words name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lexifuse.instruction import DEGRADATIONS
from lexifuse.training import losses
from lexifuse.training.networks.planes import rgb_to_ycbcr
from lexifuse.training.recipe import PLAIN_ROW, DegradationWeights

SSIM_WINDOW = 48
"""Side of the Gaussian window of the structural similarity, pixels; smaller where the picture is."""

_SSIM_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2
_RAW_SOBEL = 4.0
_TERMS = ("intensity", "ssim", "gradient", "colour")


def weight_table(rows: Mapping[str, DegradationWeights]) -> Tensor:
    """The weights of the four terms, (10, 4): nothing asked, then each degradation; missing rows are as ``plain``."""
    plain = rows.get(PLAIN_ROW, DegradationWeights())
    table = [rows.get(name, plain) for name in (PLAIN_ROW, *DEGRADATIONS)]
    return torch.tensor([[getattr(row, term) for term in _TERMS] for row in table])


def sample_weights(asked: Tensor, table: Tensor) -> Tensor:
    """The weights of each sample, (B, 4).

    Args:
        asked: (B, 9), above 0 where the words name the degradation; several are averaged.
        table: from :func:`weight_table`.
    """
    named = (asked > 0).to(table)
    unnamed = (named.sum(1, keepdim=True) == 0).to(table)
    shares = torch.cat((unnamed, named), 1)
    return shares @ table / shares.sum(1, keepdim=True)


def fusion_terms(output: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """Intensity, SSIM, gradient and colour term of each sample, (B, 4).

    Args:
        output: (B, 3, H, W) RGB.
        infrared: (B, 1, H, W), clean, in 0..1.
        visible: (B, 3, H, W) RGB, clean.
    """
    luma, chroma = rgb_to_ycbcr(output)
    source_luma, source_chroma = rgb_to_ycbcr(visible)
    brighter = torch.where(infrared > visible.mean(1, keepdim=True), infrared, visible)
    intensity = losses.absolute(output, brighter)
    structure = 2.0 - gaussian_ssim(output, visible) - gaussian_ssim(luma, infrared)
    steepest = (
        torch.maximum(*(part.abs() for part in parts))
        for parts in zip(losses.sobel(infrared), losses.sobel(source_luma), strict=True)
    )
    slopes = (part.abs() for part in losses.sobel(luma))
    differences = [losses.absolute(*pair) for pair in zip(slopes, steepest, strict=True)]
    # The published weights count the raw answer of the Sobel kernel, and Cb and Cr one by one.
    gradient = _RAW_SOBEL * (differences[0] + differences[1])
    return torch.stack((intensity, structure, gradient, 2.0 * losses.absolute(chroma, source_chroma)), 1)


def gaussian_ssim(first: Tensor, second: Tensor, window: int = SSIM_WINDOW) -> Tensor:
    """Structural similarity (Wang 2004) of (B, C, H, W) each, Gaussian window, valid area; (B,), 1 is equal."""
    side = min(window, *first.shape[-2:])
    planes = [picture.flatten(0, 1)[:, None] for picture in (first, second)]
    mean = losses.gaussian_mean(side, _SSIM_SIGMA, first)
    products = [planes[0] ** 2, planes[1] ** 2, planes[0] * planes[1]]
    mean_a, mean_b, square_a, square_b, product = mean(torch.cat((*planes, *products))).chunk(5)
    both, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    similarity = (2 * both + _C1) * (2 * (product - both) + _C2)
    similarity = similarity / ((squares + _C1) * (square_a + square_b - squares + _C2))
    return losses.per_sample(similarity.view(len(first), -1))


def degradation_objective(output: Tensor, batch: Mapping[str, Tensor], table: Tensor) -> dict[str, Tensor]:
    """The four weighted terms of a batch, each a scalar; their sum is what is minimised.

    Args:
        output: (B, 3, H, W) RGB, the network's answer.
        batch: what ``PromptedSamples`` gives, batched.
        table: from :func:`weight_table`, on the device of the output.
    """
    asked = batch["conditioning"][:, : len(DEGRADATIONS)]
    terms = fusion_terms(output, batch["infrared_target"], batch["visible_target"])
    weighted = (terms * sample_weights(asked, table)).mean(0)
    return dict(zip(_TERMS, weighted, strict=True))
