"""The losses of From Text to Pixels (arXiv 2401.00421): structure, content consistency and commitment to the codes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lexifuse.training import losses
from lexifuse.training.degradation_losses import fusion_terms
from lexifuse.training.networks.text_to_pixels import FusionDetails
from lexifuse.training.recipe import TextToPixelsLosses

_LEAST_VARIANCE = 1e-6


def text_to_pixels_terms(
    details: FusionDetails, batch: Mapping[str, Tensor], weights: TextToPixelsLosses
) -> dict[str, Tensor]:
    """The weighted terms of a batch, each a scalar; their sum is what is minimised.

    ``ssim`` and ``gradient`` are the structure loss. ``intensity``, ``colour``, ``quantised`` and ``reconstruction``
    are the content consistency: of the picture with its sources, of the discrete features with the continuous ones,
    and of each source's features with that source. The detection loss comes from ``bilevel.py``.

    Args:
        details: the network's answer.
        batch: what ``PromptedSamples`` gives, batched.
        weights: of the terms; terms about codes are left out where the network has none.
    """
    of_picture = fusion_terms(details.picture, batch["infrared_target"], batch["visible_target"]).mean(0)
    intensity, structure, gradient, colour = of_picture
    again = losses.absolute(details.infrared, batch["infrared"]) + losses.absolute(details.visible, batch["visible"])
    terms = {
        "ssim": weights.ssim * structure,
        "gradient": weights.gradient * gradient,
        "intensity": weights.intensity * intensity,
        "colour": weights.colour * colour,
        "reconstruction": weights.reconstruction * again.mean(),
    }
    if details.discrete is not None and details.commitment is not None:
        terms["quantised"] = weights.quantised * lost_to_codes(details.discrete, details.fused).mean()
        terms["commitment"] = weights.commitment * details.commitment.mean()
    return terms


def lost_to_codes(discrete: Tensor, continuous: Tensor) -> Tensor:
    """The share of the variance of continuous features (B, C, H, W) that the discrete ones miss.

    One value per channel, (C,), over all pixels of the batch; 0 is equal. Variance, not power: features vary little
    around a large constant, which needs no codes. With power the constant was all that was learned, and all 32
    numbers of a code said one thing.

    Its gradient reaches the discrete features only: the continuous ones serve the picture, and the codes follow them.
    """
    wanted, found = (one - one.mean((0, 2, 3), keepdim=True) for one in (continuous.detach(), discrete))
    return ((found - wanted) ** 2).mean((0, 2, 3)) / ((wanted**2).mean((0, 2, 3)) + _LEAST_VARIANCE)
