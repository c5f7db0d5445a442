"""Losses of fusion networks: a function each, batched, in 0..1 units, the same definitions as ``lexifuse.metrics``.

Every function takes planes of shape (B, 1, H, W) and gives one value per sample, (B,), so that samples of one batch
can be weighted by what their words ask for.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import Tensor


def keep_digits() -> None:
    """Let convolutions on CUDA keep all digits of float32: VIF is a small difference of large squares.

    By default they run in TF32, which has ten bits of mantissa.
    """
    torch.backends.cudnn.allow_tf32 = False


def sobel(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical Sobel derivatives of (B, 1, H, W), borders replicated; a unit step answers 1."""
    padded = functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    # Sums of shifted planes: several times faster on a CPU than a convolution with one channel.
    across = padded[..., 2:] - padded[..., :-2]
    down = padded[..., 2:, :] - padded[..., :-2, :]
    horizontal = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    vertical = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return horizontal / 4, vertical / 4


def per_sample(values: Tensor) -> Tensor:
    """Mean over all but the first dimension."""
    return values.flatten(1).mean(1)


def absolute(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, (B, C, H, W) each."""
    return per_sample((output - target).abs())


def root_mean_square(output: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared difference, (B, C, H, W) each; what PSNR is the logarithm of."""
    return (per_sample((output - target) ** 2) + 1e-8).sqrt()


def gradient(output: Tensor, target_x: Tensor, target_y: Tensor) -> Tensor:
    """Mean absolute difference of the signed Sobel derivatives to the given ones."""
    horizontal, vertical = sobel(output)
    return per_sample((horizontal - target_x).abs() + (vertical - target_y).abs())


def stronger_gradient(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Per pixel the Sobel derivatives of the source whose gradient is stronger (the joint gradient target)."""
    first_x, first_y = sobel(first)
    second_x, second_y = sobel(second)
    choose = first_x.abs() + first_y.abs() >= second_x.abs() + second_y.abs()
    return torch.where(choose, first_x, second_x), torch.where(choose, first_y, second_y)


def _moments(
    first: Tensor, second: Tensor, mean: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Local means, variances and covariance; one filter pass over all five planes."""
    planes = torch.cat((first, second, first * first, second * second, first * second))
    mean_first, mean_second, square_first, square_second, product = mean(planes).chunk(5)
    return (
        mean_first,
        mean_second,
        square_first - mean_first**2,
        square_second - mean_second**2,
        product - mean_first * mean_second,
    )


def ssim(output: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """Structural similarity (Wang 2004), uniform window, sample covariance, data range 1; -1..1, 1 is equal."""

    def mean(plane: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.avg_pool2d(plane, (1, window), stride=1), (window, 1), stride=1)

    mean_o, mean_t, var_o, var_t, cov = _moments(output, target, mean)
    sample = window**2 / (window**2 - 1)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_o * mean_t + c1) / (mean_o**2 + mean_t**2 + c1)
    structure = (2 * sample * cov + c2) / (sample * (var_o + var_t) + c2)
    return per_sample(luminance * structure)


def gaussian_mean(size: int, sigma: float, like: Tensor) -> Callable[[Tensor], Tensor]:
    """A separable Gaussian mean over the valid area: (B, 1, H, W) to (B, 1, H - size + 1, W - size + 1)."""
    positions = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    weights = torch.exp(-(positions**2) / (2 * sigma**2))
    weights = weights / weights.sum()

    # Two products of matrices, nearly all noughts: many times faster than convolutions with one channel.
    def mean(plane: Tensor) -> Tensor:
        return _sliding(weights, plane.shape[-2]) @ plane @ _sliding(weights, plane.shape[-1]).T

    return mean


def _sliding(weights: Tensor, length: int) -> Tensor:
    """The (length - K + 1, length) matrix whose rows are K weights, each a place further on than in the row above."""
    places = length - len(weights) + 1
    # Rows are one shorter than the sequence that they are cut from, over and over: that is what moves the weights.
    return functional.pad(weights, (0, places)).repeat(places)[: places * length].view(places, length)


def visual_information_fidelity(source: Tensor, output: Tensor) -> Tensor:
    """Pixel-domain VIF (Sheikh and Bovik 2006), four scales, sigma_nsq 2 on 0..255; 1 is equal, above 1 enhanced."""
    source, output = source * 255.0, output * 255.0
    shared, total = torch.zeros(len(source)).to(source), torch.zeros(len(source)).to(source)
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        mean = gaussian_mean(size, size / 5.0, source)
        if scale > 1:
            source, output = mean(source)[:, :, ::2, ::2], mean(output)[:, :, ::2, ::2]
        _, _, var_s, var_o, cov = _moments(source, output, mean)
        var_s, var_o = var_s.clamp_min(0.0), var_o.clamp_min(0.0)
        gain = (cov / (var_s + 1e-2)).clamp_min(0.0)
        rest = (var_o - gain * cov).clamp_min(1e-3)
        shared = shared + torch.log1p(gain**2 * var_s / (rest + 2.0)).flatten(1).sum(1)
        total = total + torch.log1p(var_s / 2.0).flatten(1).sum(1)
    # Crops without any structure say nothing: the constant keeps them from dominating.
    return shared / (total + 50.0)


def edge_preservation(source: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """The edge-preservation map of Qabf (Xydeas and Petrovic 2000) and its weights, each (B, 1, H, W).

    The orientation term uses the squared cosine of the angle between the gradients instead of the angle itself, which
    has no usable derivative; its threshold is moved to the same angle.
    """
    source_x, source_y = sobel(source * 255.0 * 4.0)
    output_x, output_y = sobel(output * 255.0 * 4.0)
    source_power, output_power = source_x**2 + source_y**2, output_x**2 + output_y**2
    source_size, output_size = (source_power + 1e-2).sqrt(), (output_power + 1e-2).sqrt()
    strength = torch.minimum(source_size, output_size) / torch.maximum(source_size, output_size)
    cosine = (source_x * output_x + source_y * output_y) ** 2 / (source_power * output_power + 1.0)
    strength_kept = 0.9994 / (1 + torch.exp(-15 * (strength - 0.5)))
    orientation_kept = 0.9879 / (1 + torch.exp(-22 * (cosine - 0.905)))
    return strength_kept * orientation_kept, source_size


def qabf(first: Tensor, second: Tensor, output: Tensor) -> Tensor:
    """Qabf of a fusion, 0..1, with the surrogate of :func:`edge_preservation`."""
    kept_first, weight_first = edge_preservation(first, output)
    kept_second, weight_second = edge_preservation(second, output)
    kept = (kept_first * weight_first + kept_second * weight_second).flatten(1).sum(1)
    return kept / ((weight_first + weight_second).flatten(1).sum(1) + 1e-3)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation, -1..1; 0 where a plane is flat."""
    first, second = first.flatten(1), second.flatten(1)
    first, second = first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    power = (first**2).mean(1) * (second**2).mean(1)
    return (first * second).mean(1) / (power + 1e-8).sqrt()


def sum_of_correlated_differences(first: Tensor, second: Tensor, output: Tensor) -> Tensor:
    """SCD (Aslantas and Bendes 2015): corr(first, output - second) + corr(second, output - first), -2..2."""
    return correlation(first, output - second) + correlation(second, output - first)
