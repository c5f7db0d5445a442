"""The fixed validation set of a training run: plain fusion and the gain of the right words, on held-out crops."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lexifuse.degradations import FAR_DEPTH, degrade_pair
from lexifuse.instruction import DEGRADATIONS
from lexifuse.metrics import NINE, fusion_metrics, luma
from lexifuse.statistics import picture_statistics
from lexifuse.training import losses
from lexifuse.training.crops import CropStore
from lexifuse.training.networks.instructed import INSTRUCTION_FIELDS
from lexifuse.training.networks.planes import rgb_to_ycbcr
from lexifuse.training.recipe import Recipe

_SEVERITY = 0.7


def _held_out(store: CropStore, recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None, bool]]:
    side = recipe.crop
    crops = []
    for index in range(recipe.validation):
        depth = store.depth[index, :side, :side]
        metres = (depth.astype(np.float32) - 1) / 254 * FAR_DEPTH if depth.all() else None
        infrared = store.infrared[index, :side, :side].astype(np.float32) / 255.0
        visible = store.visible[index, :side, :side].astype(np.float32) / 255.0
        crops.append((infrared, visible, metres, bool(store.night[index])))
    return crops


def _tensors(pairs: list[tuple[np.ndarray, np.ndarray]], device: torch.device) -> tuple[Tensor, Tensor]:
    infrared = torch.from_numpy(np.stack([pair[0] for pair in pairs]))[:, None].float()
    visible = torch.from_numpy(np.stack([pair[1] for pair in pairs])).permute(0, 3, 1, 2).float()
    return infrared.to(device), visible.to(device)


def _words(pairs: list[tuple[np.ndarray, np.ndarray]], device: torch.device, **severities: float) -> Tensor:
    """The conditioning of pairs that are all asked the same, (B, C)."""
    words = [severities.get(name, 0.0) for name in INSTRUCTION_FIELDS]
    rows = [np.concatenate((words, picture_statistics(*pair))) for pair in pairs]
    return torch.from_numpy(np.stack(rows)).float().to(device)


def decibels(first: Tensor, second: Tensor) -> Tensor:
    """PSNR per sample of two batches of pictures in 0..1, capped at 60 dB."""
    error = losses.per_sample((first.clamp(0, 1) - second.clamp(0, 1)) ** 2)
    return -10.0 * torch.log10(error.clamp_min(1e-6))


@torch.no_grad()
def validate(network: nn.Module, store: CropStore, recipe: Recipe) -> dict[str, float]:
    """Validate on the held-out crops.

    Returns:
        ``vif``, ``qabf``, ``scd``, ``ssim`` of plain fusions; ``gain <degradation>`` in dB at severity 0.7: PSNR to the
        plain fusion of the clean pair, with the right words minus without (low light on day crops); ``gain``, the mean;
        ``wrong <degradation>``, the same with that word about pictures with another damage.
    """
    device = next(network.parameters()).device
    crops = _held_out(store, recipe)
    clean = [(crop[0], crop[1]) for crop in crops]
    infrared, visible = _tensors(clean, device)
    plain = network(infrared, visible, _words(clean, device)).clamp(0, 1)
    luma, source = rgb_to_ycbcr(plain)[0], rgb_to_ycbcr(visible)[0]
    fidelity = losses.visual_information_fidelity
    values = {
        "vif": float((fidelity(infrared, luma) + fidelity(source, luma)).mean()),
        "qabf": float(losses.qabf(infrared, source, luma).mean()),
        "scd": float(losses.sum_of_correlated_differences(infrared, source, luma).mean()),
        "ssim": float((losses.ssim(luma, infrared) + losses.ssim(luma, source)).mean()),
    }
    day = torch.tensor([not crop[3] for crop in crops], device=device)
    for number, name in enumerate(DEGRADATIONS):
        other = DEGRADATIONS[number - 1]
        damaged = [degrade_pair(c[0], c[1], {name: _SEVERITY}, seed=i, depth=c[2]) for i, c in enumerate(crops)]
        inputs = _tensors(damaged, device)
        right = network(*inputs, _words(damaged, device, **{name: _SEVERITY}))
        wrong = network(*inputs, _words(damaged, device, **{other: _SEVERITY}))
        without = decibels(network(*inputs, _words(damaged, device)), plain)
        gain, harm = decibels(right, plain) - without, decibels(wrong, plain) - without
        values[f"wrong {other}"] = float((harm[day] if other == "visible.low_light" else harm).mean())
        values[f"gain {name}"] = float((gain[day] if name == "visible.low_light" else gain).mean())
    values["gain"] = float(np.mean([values[f"gain {name}"] for name in DEGRADATIONS]))
    return values


@torch.no_grad()
def plain_metrics(network: nn.Module, store: CropStore, recipe: Recipe) -> dict[str, float]:
    """The nine metrics of plain fusions of the held-out crops, as :mod:`lexifuse.metrics` defines them; means."""
    device = next(network.parameters()).device
    clean = [(crop[0], crop[1]) for crop in _held_out(store, recipe)]
    fused = network(*_tensors(clean, device), _words(clean, device)).clamp(0, 1)
    pictures = fused.permute(0, 2, 3, 1).cpu().numpy()
    rows = [
        list(fusion_metrics(luma(infrared), luma(visible), luma(picture)).values())
        for (infrared, visible), picture in zip(clean, pictures, strict=True)
    ]
    return dict(zip(NINE, np.nanmean(rows, axis=0).tolist(), strict=True))


@torch.no_grad()
def panel(network: nn.Module, store: CropStore, recipe: Recipe, rows: int = 6) -> Tensor:
    """Held-out crops, (3, rows * S, 6 * S): sources, plain fusion, damaged visible, without and with words."""
    device = next(network.parameters()).device
    crops = _held_out(store, recipe)[:rows]
    columns = []
    for number, (infrared, visible, depth, night) in enumerate(crops):
        name = "visible.low_light" if night else DEGRADATIONS[number % 6]
        damage = {} if night else {name: _SEVERITY}
        damaged = degrade_pair(infrared, visible, damage, seed=number, depth=depth)
        clean = [(infrared, visible)]
        clean_pair, seen = _tensors(clean, device), _tensors([damaged], device)
        unasked, right = _words([damaged], device), _words([damaged], device, **{name: _SEVERITY})
        pictures = (
            clean_pair[0].expand(-1, 3, -1, -1),
            clean_pair[1],
            network(*clean_pair, _words(clean, device)),
            seen[1],
            network(*seen, unasked),
            network(*seen, right),
        )
        columns.append(torch.cat(pictures, 3)[0].clamp(0, 1))
    return torch.cat(columns, 1).cpu()
