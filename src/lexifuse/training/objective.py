"""The objective of fusion training: a target made from the target pair and the wishes, and weighted losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from lexifuse.instruction import DEGRADATIONS
from lexifuse.training import losses
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS, INSTRUCTION_FIELDS
from lexifuse.training.networks.planes import rgb_to_ycbcr, ycbcr_to_rgb
from lexifuse.training.recipe import LossWeights

_SURROUNDINGS_SIGMA = 12.0
_HIGHLIGHT_PUSH, _HIGHLIGHT_STRETCH = 0.12, 0.4
_TEXTURE_SHARE = 0.4
_TONE_WINDOW = 16
_USUAL_DIFFERENCE, _LEAST_STAKE, _HELD_APART = 0.2, 0.1, 3.0
_GLOW_SIGMA, _GLOW_WARMER, _GLOW_WARM, _GLOW_RAMP, _GLOW_SLACK = 24.0, 0.12, 0.4, 0.08, 0.05
_FIRST_WISH, _WORDS = len(DEGRADATIONS), len(INSTRUCTION_FIELDS)
_FIRST_HIGHLIGHT = next(i for i, name in enumerate(INSTRUCTION_FIELDS) if name.startswith("highlight."))
_LEAST_AREA = 64.0  # pixels, added to the area of what is brought out: a few pixels of it are hardly worth learning


@dataclass(frozen=True)
class Target:
    """What a fusion should be: luma (B, 1, H, W), its Sobel derivatives, chroma (B, 2, H, W)."""

    luma: Tensor
    gradient_x: Tensor
    gradient_y: Tensor
    chroma: Tensor


def without_repairs(conditioning: Tensor, statistics: Tensor) -> Tensor:
    """The other wishes alone, without severities and highlights, for a pair with other statistics, (B, C)."""
    wishes = torch.zeros_like(conditioning[:, :_WORDS])
    wishes[:, _FIRST_WISH:_FIRST_HIGHLIGHT] = conditioning[:, _FIRST_WISH:_FIRST_HIGHLIGHT]
    return torch.cat((wishes, statistics), 1)


def brought_out(picture: Tensor, mask: Tensor) -> Tensor:
    """A fusion (B, 3, H, W) with the objects of a mask (B, 1, H, W) pulled away from the luma around them."""
    luma, chroma = rgb_to_ycbcr(picture)
    lift = _where(mask.amax((1, 2, 3), keepdim=True) > 0, _highlight_lift, luma, mask)
    return ycbcr_to_rgb((luma + lift).clamp(0, 1), chroma).clamp(0, 1)


def no_darker(picture: Tensor, plain: Tensor) -> Tensor:
    """A brightened fusion (B, 3, H, W) that is nowhere darker than the plain one: warm people still glow in it."""
    luma, chroma = rgb_to_ycbcr(picture)
    return ycbcr_to_rgb(torch.maximum(luma, rgb_to_ycbcr(plain)[0]), chroma).clamp(0, 1)


def with_glow(picture: Tensor, infrared: Tensor, share: Tensor) -> Tensor:
    """A fusion (B, 3, H, W) in which what is warmer than its surroundings is about as bright as the infrared has it.

    Likeness to both sources (VIF, SSIM) is bought by leaving out a few warm pixels of a smooth infrared picture: a
    guide that was trained by it may show a person by day as the visible camera did.

    Args:
        picture: RGB in 0..1.
        infrared: (B, 1, H, W) in 0..1, without damage.
        share: (B,), how much of what is missing is added, 0..1.
    """
    warmer = (infrared - _smooth(infrared, _GLOW_SIGMA) - _GLOW_WARMER) / _GLOW_RAMP
    warm = torch.minimum(warmer, (infrared - _GLOW_WARM) / _GLOW_RAMP).clamp(0, 1)
    luma, chroma = rgb_to_ycbcr(picture)
    missing = (infrared - _GLOW_SLACK - luma).clamp_min(0)
    return ycbcr_to_rgb(luma + share.view(-1, 1, 1, 1) * warm * missing, chroma).clamp(0, 1)


def reference_fusion(
    guide: Callable[[Tensor, Tensor, Tensor], Tensor], batch: dict[str, Tensor], glow: float = 0.0
) -> Tensor:
    """What a guide (the averaged network, or a teacher) makes of the target pairs of a batch, (B, 3, H, W) in 0..1.

    Objects that are to stand out do, nights that are to be brighter are nowhere darker than they were, and where the
    target pair is undamaged, ``glow`` (0..1) of what is missing of warm objects is added.
    """
    conditioning = batch["conditioning"]
    if not len(conditioning):
        return batch["visible_target"]
    wishes = without_repairs(conditioning, batch["statistics_target"])
    fused = guide(batch["infrared_target"], batch["visible_target"], wishes).clamp(0, 1)
    if glow:
        leaning = conditioning[:, CONDITIONING_FIELDS.index("balance")] < 0
        fused = with_glow(fused, batch["infrared_target"], glow * batch["undamaged"] * ~leaning)
    night = batch["brightened"] > 0
    if night.any():
        unasked = without_repairs(conditioning, conditioning[:, _WORDS:])[night]
        plain = guide(batch["infrared"][night], batch["visible"][night], unasked).clamp(0, 1)
        fused[night] = no_darker(fused[night], plain)
    return brought_out(fused, batch["highlight"])


def fusion_target(infrared: Tensor, visible: Tensor, highlight: Tensor, conditioning: Tensor) -> Target:
    """The target of a fusion of a target pair under the wishes of an instruction.

    Args:
        infrared: (B, 1, H, W) in 0..1.
        visible: (B, 3, H, W) RGB in 0..1.
        highlight: (B, 1, H, W), 1 where something is to be brought out.
        conditioning: (B, C), the fields of ``CONDITIONING_FIELDS``.
    """
    luma, chroma = rgb_to_ycbcr(visible)

    def field(name: str) -> Tensor:
        return conditioning[:, CONDITIONING_FIELDS.index(name)].view(-1, 1, 1, 1)

    brighter = torch.maximum(infrared, luma)
    gradient_x, gradient_y = losses.stronger_gradient(infrared, luma)
    target = brighter + _TEXTURE_SHARE * _where(field("keep_texture") > 0, _hidden_detail, infrared, luma)
    balance = field("balance")
    preferred = torch.where(balance > 0, infrared, luma)
    target = torch.lerp(target, preferred, balance.abs())
    preferred_x, preferred_y = losses.sobel(preferred)
    gradient_x = torch.lerp(gradient_x, preferred_x, balance.abs())
    gradient_y = torch.lerp(gradient_y, preferred_y, balance.abs())
    lift = _where(highlight.amax((1, 2, 3), keepdim=True) > 0, _highlight_lift, target, highlight)
    lift_x, lift_y = losses.sobel(lift)
    return Target((target + lift).clamp(0, 1), gradient_x + lift_x, gradient_y + lift_y, chroma)


def _where(chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """``change`` of the chosen samples, zero for the others: wishes are rare and their targets costly."""
    result = torch.zeros_like(first)
    indices = chosen.flatten().nonzero()[:, 0]
    if len(indices):
        result[indices] = change(first[indices], second[indices])
    return result


def _hidden_detail(infrared: Tensor, luma: Tensor) -> Tensor:
    """Fine texture of the visible image where the infrared is brighter and would cover it."""
    return (luma - _smooth(luma, 2.0)) * (infrared > luma)


def _highlight_lift(luma: Tensor, mask: Tensor) -> Tensor:
    """What to add to the luma inside the mask, to pull it away from the luma around it."""
    around = _smooth(luma * (1 - mask), _SURROUNDINGS_SIGMA) / (_smooth(1 - mask, _SURROUNDINGS_SIGMA) + 1e-3)
    inside = _smooth(luma * mask, _SURROUNDINGS_SIGMA) / (_smooth(mask, _SURROUNDINGS_SIGMA) + 1e-3)
    difference = inside - around
    direction = torch.where(difference > -0.03, 1.0, -1.0)
    return mask * (direction * _HIGHLIGHT_PUSH + _HIGHLIGHT_STRETCH * difference)


def _smooth(plane: Tensor, sigma: float) -> Tensor:
    radius = min(int(3 * sigma), plane.shape[-1] - 1, plane.shape[-2] - 1)
    mean = losses.gaussian_mean(2 * radius + 1, sigma, plane)
    return mean(functional.pad(plane, (radius,) * 4, mode="reflect"))


def objective(
    output: Tensor,
    batch: dict[str, Tensor],
    weights: LossWeights,
    reference: Tensor | None,
    judged: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted loss terms of a batch, each a scalar; their sum is what is minimised.

    Args:
        output: (B, 3, H, W) RGB, the network's answer.
        batch: what ``Samples`` gives, batched.
        weights: of the terms.
        reference: (R, 3, H, W), the averaged network's (or a teacher's) plain fusion of the target pairs of the R
            samples that are judged by it, with what is to be brought out; None before consistency starts.
        judged: (B,) bool, which samples these are; those of :func:`has_reference` where None.
    """
    # Once there is a plain fusion to compare with, it alone is the target of a repair: it is one picture, while the
    # other terms pull towards two, and they are largest where the damage is, whatever is made of it.
    if reference is None:
        repaired = torch.zeros_like(batch["plain"], dtype=torch.bool)
    else:
        repaired = has_reference(batch) if judged is None else judged
    terms: dict[str, Tensor] = {}
    if not repaired.all():
        terms.update(_source_terms(output[~repaired], _chosen(batch, ~repaired), weights))
    if reference is not None and repaired.any():
        terms.update(_repair_terms(output[repaired], _chosen(batch, repaired), weights, reference))
    plain = _free(batch) > 0
    terms.update(_metric_terms(output[plain], _chosen(batch, plain), weights))
    return {name: term.sum() / len(output) for name, term in terms.items()}


def has_reference(batch: dict[str, Tensor]) -> Tensor:
    """Which samples ask for a repair or for something to be brought out, (B,) bool."""
    words = batch["conditioning"]
    asked = torch.maximum(words[:, :_FIRST_WISH].amax(1), words[:, _FIRST_HIGHLIGHT:_WORDS].amax(1))
    return asked > 0


def follows_itself(weights: LossWeights) -> bool:
    """Whether repairs follow the plain fusion of the averaged network, though there is a teacher to follow."""
    return weights.bound < 1


def _chosen(batch: dict[str, Tensor], which: Tensor) -> dict[str, Tensor]:
    return {name: value[which] for name, value in batch.items()}


def _source_terms(output: Tensor, batch: dict[str, Tensor], weights: LossWeights) -> dict[str, Tensor]:
    """What a fusion owes to its two sources."""
    infrared, visible = batch["infrared_target"], batch["visible_target"]
    conditioning = batch["conditioning"]
    target = fusion_target(infrared, visible, batch["highlight"], conditioning)
    luma, chroma = rgb_to_ycbcr(output)
    source_luma = rgb_to_ycbcr(visible)[0]
    keep_colour = 1.0 + 2.0 * conditioning[:, CONDITIONING_FIELDS.index("keep_colour")]
    # Likeness to both sources is an aim where no wish leans to one of them, and no damage would be likened to.
    neutral = (conditioning[:, _FIRST_WISH:_WORDS].abs().amax(1) == 0) * batch["undamaged"]
    stakes = torch.lerp(torch.ones_like(luma), _stakes(infrared, source_luma, weights), neutral.view(-1, 1, 1, 1))
    both_ssim = losses.ssim(luma, infrared) + losses.ssim(luma, source_luma)
    return {
        "intensity": weights.intensity * losses.per_sample(stakes * (luma - target.luma).abs()),
        "gradient": weights.gradient * losses.gradient(luma, target.gradient_x, target.gradient_y),
        "ssim": weights.ssim * neutral * (2.0 - both_ssim),
        "chroma": weights.chroma * keep_colour * losses.absolute(chroma, target.chroma),
    }


def _stakes(infrared: Tensor, visible: Tensor, weights: LossWeights) -> Tensor:
    """How much the luma of each pixel matters, (B, 1, H, W), about 1: more where one source has far more light.

    Likeness to both sources (VIF, Qabf, SSIM) is bought most cheaply by a copy of one. Who glows in the other, or its
    bright sky, is a small area of large differences: there the brighter pixel must be kept; elsewhere it need not.
    """
    difference = (infrared - visible).abs()
    return (1.0 + weights.contrast * (difference - _USUAL_DIFFERENCE)).clamp_min(_LEAST_STAKE)


def _repair_terms(
    output: Tensor, batch: dict[str, Tensor], weights: LossWeights, reference: Tensor
) -> dict[str, Tensor]:
    """What a repair leaves to be wished for, (B,) each.

    ``repair`` is the share of the damage that is left, as decibels are a share: by plain differences a hazy sample
    weighs ten times as much as a striped one. ``detail`` is the plain difference of the gradients: noise, stripes, rain
    and blur are damage to these above all, and without it they are learned an order of magnitude more slowly.
    ``tone`` is the difference of averages over squares: a word that finds little to repair must not shift the light.
    ``evenness`` is how much that differs from square to square: a sky that is a little too bright passes for a sky, a
    cloud in it does not.
    ``highlight`` is the difference where something is to be brought out, which is a small part of most pictures.
    """
    luma, chroma = rgb_to_ycbcr(batch["visible"])
    damaged = ycbcr_to_rgb(torch.maximum(batch["infrared"], luma), chroma)
    distance = losses.absolute if weights.power == 1 else losses.root_mean_square
    held = _held(batch, luma, weights)
    left = distance(held * output, held * reference) / (distance(damaged, reference) + weights.least_damage)
    wanted = losses.sobel(rgb_to_ycbcr(reference)[0])
    rough = losses.gradient(rgb_to_ycbcr(output)[0], *wanted)
    squares = functional.avg_pool2d(output - reference, _TONE_WINDOW)
    steps = [losses.per_sample(squares.diff(dim=axis).abs()) for axis in (2, 3)]
    mask = batch["highlight"]
    missing = ((output - reference).abs().mean(1, keepdim=True) * mask).sum((1, 2, 3))
    # Averages over squares stay bound: what VIF and Qabf may shape is finer than a patch or a halo.
    bound = 1.0 - (1.0 - weights.bound) * _free(batch)
    return {
        "repair": weights.consistency * left,
        "detail": weights.detail * bound * rough,
        "tone": weights.tone * losses.per_sample(squares.abs()),
        "evenness": weights.evenness * (steps[0] + steps[1]),
        "highlight": weights.highlight * missing / (mask.sum((1, 2, 3)) + _LEAST_AREA),
    }


def _free(batch: dict[str, Tensor]) -> Tensor:
    """Which samples VIF, Qabf and SCD are taken of, (B,): 1 or 0."""
    return batch["plain"] * batch["undamaged"]


def _held(batch: dict[str, Tensor], visible: Tensor, weights: LossWeights) -> Tensor:
    """How much each pixel is held to the reference, (B, 1, H, W): all of it but where a sample is free.

    There it is the more, the more the sources differ: who is warm in daylight covers few pixels, fewer than the squares
    of ``tone`` can tell, and likeness to both sources would leave them out.
    """
    apart = ((batch["infrared"] - visible).abs() - _USUAL_DIFFERENCE).clamp_min(0.0) / _USUAL_DIFFERENCE
    held = weights.bound + (1.0 - weights.bound) * _HELD_APART * apart
    return torch.lerp(torch.ones_like(apart), held, _free(batch).view(-1, 1, 1, 1))


def _metric_terms(output: Tensor, batch: dict[str, Tensor], weights: LossWeights) -> dict[str, Tensor]:
    """Differentiable VIF, Qabf and SCD of the plain samples of a batch (few of them; these terms are costly)."""
    if not len(output):
        return {}
    infrared, visible, luma = batch["infrared_target"], *(rgb_to_ycbcr(x)[0] for x in (batch["visible_target"], output))
    terms: dict[str, Tensor] = {}
    if weights.vif:
        sources, twice = torch.cat((infrared, visible)), torch.cat((luma, luma))
        terms["vif"] = weights.vif * (0.75 - losses.visual_information_fidelity(sources, twice).clamp_max(1.5)) * 2
    if weights.qabf:
        terms["qabf"] = weights.qabf * (1.0 - losses.qabf(infrared, visible, luma))
    if weights.scd:
        terms["scd"] = weights.scd * (2.0 - losses.sum_of_correlated_differences(infrared, visible, luma))
    return terms
