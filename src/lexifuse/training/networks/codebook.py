"""A codebook that makes features discrete: vector quantisation with moving averages and revival of unused codes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, distributed, nn

from lexifuse.errors import ModelError


class Quantised(NamedTuple):
    """Features after a codebook.

    Attributes:
        features: (B, C, H, W), codes only; gradients pass straight through to what came in.
        indices: (B, G, H, W) int64, which code of each group.
        commitment: (B,), mean squared distance of what came in to its codes; its gradient moves what came in, not
            the codes.
    """

    features: Tensor
    indices: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """Every pixel's features become the nearest of a fixed number of codes.

    Vector quantisation with the straight-through gradient (arXiv 1711.00937). Codes are not trained by gradients: each
    is the moving average of the features that chose it (there in appendix A.1). With several groups the channels are
    divided among as many codebooks, whose codes combine freely (product quantisation).

    Codes change only in training mode and where gradients are taken, so that looking at pictures never changes them.
    A code that is hardly chosen any more takes the place of a feature of the batch; so do all codes at the first step.
    Which one is a pure function of the batch and the number of updates, so that training resumes exactly.

    Args:
        size: codes per group.
        width: channels, a multiple of ``groups``.
        groups: codebooks that divide the channels among them.
        decay: of the moving averages, per step.
        least: a code chosen less often than this share of the mean is dead.

    Raises:
        ModelError: when a state dict is loaded whose codebook is of another size, or has none.
    """

    codes: Tensor
    counts: Tensor
    updates: Tensor

    def __init__(self, size: int, width: int, groups: int = 1, decay: float = 0.99, least: float = 0.03) -> None:
        super().__init__()
        self.size, self.width, self.groups, self.decay, self.least = size, width, groups, decay, least
        self.register_buffer("codes", torch.randn(groups, size, width // groups))
        self.register_buffer("counts", torch.zeros(groups, size))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self.register_load_state_dict_pre_hook(_check_size)

    def forward(self, features: Tensor) -> Quantised:
        """Quantise (B, C, H, W)."""
        batch, _, height, width = features.shape
        # (N, G, C / G): pixels, groups, numbers per code; always in full precision.
        rows = features.float().permute(0, 2, 3, 1).reshape(-1, self.groups, self.width // self.groups)
        learning = self.training and torch.is_grad_enabled()
        if learning:
            self._revive(rows.detach())
        chosen = self._nearest(rows.detach())
        picked = functional.embedding(chosen, self.codes.flatten(0, 1))
        commitment = ((rows - picked) ** 2).reshape(batch, -1).mean(1)
        # The value is exactly that of the codes, the derivative that of the features.
        straight = picked + (rows - rows.detach())
        if learning:
            self._follow(rows.detach(), chosen)
        quantised = straight.reshape(batch, height, width, self.width).permute(0, 3, 1, 2).to(features.dtype)
        indices = (chosen - self._offsets()).view(batch, height, width, self.groups).permute(0, 3, 1, 2)
        return Quantised(quantised, indices, commitment)

    def figures(self) -> dict[str, float]:
        """What the moving averages say of the codes, the mean of the groups.

        Returns:
            ``usage``: the share of codes that are alive; ``perplexity``: how many evenly used codes would say as much.
        """
        shares = self.counts / self.counts.sum(1, keepdim=True).clamp_min(1e-12)
        entropy = -(shares * shares.clamp_min(1e-12).log()).sum(1)
        alive = shares > self.least / self.size
        return {"usage": float(alive.float().mean()), "perplexity": float(entropy.exp().mean())}

    def _offsets(self) -> Tensor:
        """Where each group's codes begin when all are in one row, (G,)."""
        return torch.arange(self.groups, device=self.codes.device) * self.size

    def _nearest(self, rows: Tensor) -> Tensor:
        """The nearest code of each row (N, G, D), as an index (N, G) into all codes in one row."""
        # |x - e|^2 without |x|^2, which is the same for all codes.
        # Products in bfloat16 would choose other codes; an export cannot hold the context, and needs none.
        lowered = rows.device.type != "meta" and torch.is_autocast_enabled(rows.device.type)
        with torch.autocast(rows.device.type, enabled=False) if lowered else nullcontext():
            products = rows.transpose(0, 1) @ self.codes.transpose(1, 2)
            distances = (self.codes**2).sum(-1)[:, None] - 2 * products
        return distances.argmin(-1).transpose(0, 1) + self._offsets()

    @torch.no_grad()
    def _revive(self, rows: Tensor) -> None:
        """Put dead codes in the place of features of the batch, as if each had been chosen as often as the mean."""
        fair = len(rows) / self.size
        dead = self.counts <= self.least * fair
        if not bool(dead.any()):
            return
        generator = torch.Generator().manual_seed(int(self.updates))
        places = torch.randint(len(rows), (self.groups, self.size), generator=generator).to(rows.device)
        drawn = rows[places, torch.arange(self.groups, device=rows.device)[:, None]]
        self.codes.copy_(torch.where(dead[..., None], drawn, self.codes))
        self.counts.copy_(torch.where(dead, torch.full_like(self.counts, fair), self.counts))

    @torch.no_grad()
    def _follow(self, rows: Tensor, chosen: Tensor) -> None:
        """Move every code towards the mean of the rows (N, G, D) that chose it, by its share of the average."""
        chosen = chosen.flatten()
        counts = torch.bincount(chosen, minlength=self.counts.numel()).to(self.counts).view_as(self.counts)
        sums = torch.zeros_like(self.codes).flatten(0, 1).index_add_(0, chosen, rows.flatten(0, 1)).view_as(self.codes)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(counts)
            distributed.all_reduce(sums)
        before = self.decay * self.counts
        self.counts.copy_(before + (1 - self.decay) * counts)
        followed = (before[..., None] * self.codes + (1 - self.decay) * sums) / self.counts[..., None].clamp_min(1e-12)
        self.codes.copy_(followed)
        self.updates += 1


def _check_size(module: nn.Module, state: Mapping[str, Tensor], prefix: str, *_others: Any) -> None:
    """Refuse, in one line that says the mend, a state dict whose codebook does not fit."""
    assert isinstance(module, Codebook)
    codes = state.get(f"{prefix}codes")
    if codes is None:
        raise ModelError(
            "the checkpoint was trained without a codebook: set text_to_pixels.codebook to null in the recipe, "
            "or start from another checkpoint"
        )
    if codes.shape != module.codes.shape:
        groups, size, width = codes.shape
        own = " x ".join(map(str, module.codes.shape[:2]))
        raise ModelError(
            f"the checkpoint's codebook has {groups} x {size} codes of {width} numbers, the recipe's has {own} of "
            f"{module.codes.shape[2]}: set text_to_pixels.codebook to {{groups: {groups}, size: {size}, "
            f"width: {groups * width}}} in the recipe, or start from another checkpoint"
        )
