"""The objective of fusion training and its losses, on small pictures that are made for one question each."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from lexifuse.metrics import fusion_metrics
from lexifuse.training import losses
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.networks.planes import rgb_to_ycbcr, ycbcr_to_rgb
from lexifuse.training.objective import fusion_target, no_darker, objective
from lexifuse.training.recipe import LossWeights


def _terms(output: torch.Tensor, batch: dict[str, torch.Tensor], **weights: float) -> dict[str, float]:
    terms = objective(output, batch, LossWeights(**weights), None)  # type: ignore[arg-type]
    return {name: float(term) for name, term in terms.items()}


def _pair_batch(infrared: torch.Tensor, visible: torch.Tensor, **flags: float) -> dict[str, torch.Tensor]:
    """A batch of one undamaged pair that nothing is asked of, unless ``flags`` say otherwise."""
    one = torch.ones(1)
    flags = {"plain": 1.0, "undamaged": 1.0, "brightened": 0.0, **flags}
    return {
        "infrared": infrared,
        "visible": visible,
        "infrared_target": infrared,
        "visible_target": visible,
        "highlight": torch.zeros_like(infrared),
        "conditioning": torch.zeros(1, len(CONDITIONING_FIELDS)),
        **{name: one * value for name, value in flags.items()},
    }


def test_wishes_steer_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    infrared, visible = (torch.rand(1, n, 64, 64, generator=generator) * 0.6 for n in (1, 3))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    luma, chroma = rgb_to_ycbcr(visible)

    def target(mask: torch.Tensor, **wishes: float) -> torch.Tensor:
        conditioning = torch.zeros(1, len(CONDITIONING_FIELDS))
        for name, value in wishes.items():
            conditioning[0, CONDITIONING_FIELDS.index(name)] = value
        made = fusion_target(infrared, visible, mask, conditioning)
        torch.testing.assert_close(made.chroma, chroma)
        return made.luma

    nothing = torch.zeros_like(mask)
    torch.testing.assert_close(target(nothing), torch.maximum(infrared, luma))
    torch.testing.assert_close(target(nothing, balance=1.0), infrared)
    torch.testing.assert_close(target(nothing, balance=-1.0), luma)
    lifted = target(mask, **{"highlight.person": 1.0})
    assert (lifted - target(nothing))[mask > 0].mean() > 0.08
    torch.testing.assert_close(lifted[mask == 0], target(nothing)[mask == 0])
    assert (target(nothing, keep_texture=1.0) != target(nothing)).any()


def test_losses_agree_with_the_metrics() -> None:
    rng = np.random.default_rng(0)
    planes = [cv2.GaussianBlur(rng.integers(0, 256, (160, 160), np.uint8), (0, 0), 2.0) for _ in range(2)]
    planes = [cv2.normalize(plane, plane.copy(), 0, 255, cv2.NORM_MINMAX) for plane in planes]
    fused = np.maximum(*planes)
    wanted = fusion_metrics(planes[0], planes[1], fused)
    first, second, output = (torch.from_numpy(np.asarray(p, np.float32) / 255)[None, None] for p in (*planes, fused))
    fidelity = losses.visual_information_fidelity
    assert float(fidelity(first, output) + fidelity(second, output)) == pytest.approx(wanted["VIF"], rel=0.03)
    assert float(losses.ssim(output, first) + losses.ssim(output, second)) == pytest.approx(wanted["SSIM"], rel=0.01)
    scd = float(losses.sum_of_correlated_differences(first, second, output))
    assert scd == pytest.approx(wanted["SCD"], rel=0.01)
    assert float(losses.qabf(first, second, output)) == pytest.approx(wanted["Qabf"], rel=0.15)


@pytest.mark.parametrize(("height", "width"), [(40, 17), (17, 17), (33, 90)])
def test_gaussian_means_are_those_of_a_convolution(height: int, width: int) -> None:
    plane = torch.rand(3, 1, height, width, dtype=torch.float64)
    taps = torch.exp(-((torch.arange(17, dtype=torch.float64) - 8) ** 2) / (2 * 3.4**2))
    window = torch.outer(taps, taps)
    wanted = torch.nn.functional.conv2d(plane, (window / window.sum())[None, None])
    torch.testing.assert_close(losses.gaussian_mean(17, 3.4, plane)(plane), wanted)


def test_colour_conversion_comes_back() -> None:
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(ycbcr_to_rgb(*rgb_to_ycbcr(image)), image, rtol=1e-3, atol=1e-3)


def test_a_brightened_night_loses_nothing_that_glowed() -> None:
    brightened, plain = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.1)
    plain[..., 2:4, 2:4] = 0.9
    wanted = no_darker(brightened, plain)
    assert torch.allclose(wanted[..., 2:4, 2:4], torch.tensor(0.9), atol=1e-3)
    wanted[..., 2:4, 2:4] = 0.5
    assert torch.allclose(wanted, brightened, atol=1e-3)


def test_evenness_forgives_a_brighter_sky_and_no_cloud_in_it() -> None:
    sky = torch.full((1, 3, 64, 64), 0.7)
    batch = _pair_batch(sky[:, :1] - 0.3, sky)

    def evenness(output: torch.Tensor) -> float:
        everything = torch.ones(1, dtype=torch.bool)
        return float(objective(output, batch, LossWeights(evenness=1.0), sky, everything)["evenness"])

    cloudy = sky.clone()
    cloudy[..., 16:48, 16:48] -= 0.1
    assert evenness(sky + 0.1) == pytest.approx(0.0, abs=1e-6)
    assert evenness(cloudy) > 0.01


def test_what_likeness_may_shape_is_held_where_the_sources_are_far_apart() -> None:
    infrared, visible = torch.full((1, 1, 64, 64), 0.4), torch.full((1, 3, 64, 64), 0.35)
    infrared[..., 30:34, 30:34] = 0.95
    batch = _pair_batch(infrared, visible)
    reference = torch.maximum(infrared, visible)
    cold, grainy = reference.clone(), reference.clone()
    cold[..., 30:34, 30:34] = 0.35
    grainy[..., ::2, 40:] += 0.02

    def repair(output: torch.Tensor, bound: float) -> float:
        weights = LossWeights(consistency=1.0, power=2, bound=bound)
        return float(objective(output, batch, weights, reference, torch.ones(1, dtype=torch.bool))["repair"])

    assert repair(grainy, 0.1) == pytest.approx(0.1 * repair(grainy, 1.0), rel=0.05)
    assert repair(cold, 0.1) > repair(cold, 1.0)


def test_contrast_makes_a_small_area_of_large_differences_outweigh_a_large_one_of_small_ones() -> None:
    visible = torch.full((1, 3, 48, 48), 0.3)
    infrared = torch.full((1, 1, 48, 48), 0.35)
    infrared[..., 20:28, 20:28] = 0.9
    batch = _pair_batch(infrared, visible)
    without_person = visible + 0.05
    without_ground = torch.maximum(infrared, visible)
    without_ground = torch.where(without_ground < 0.5, without_ground - 0.1, without_ground)

    def intensity(output: torch.Tensor, contrast: float) -> float:
        return _terms(output, batch, contrast=contrast)["intensity"]

    assert intensity(without_person, 0.0) < intensity(without_ground, 0.0)
    assert intensity(without_person, 5.0) > 1.5 * intensity(without_ground, 5.0)
    batch["conditioning"][:, CONDITIONING_FIELDS.index("balance")] = -1.0
    assert intensity(without_ground, 5.0) == intensity(without_ground, 0.0)


def test_likeness_to_a_damaged_source_is_no_aim() -> None:
    generator = torch.Generator().manual_seed(1)
    visible, infrared = torch.rand((1, 3, 64, 64), generator=generator), torch.rand((1, 1, 64, 64), generator=generator)
    for undamaged, terms in ((1.0, {"vif", "qabf", "scd"}), (0.0, set())):
        batch = _pair_batch(infrared, visible, undamaged=undamaged)
        values = _terms(visible, batch, vif=1.0, qabf=1.0, scd=1.0)
        assert {"vif", "qabf", "scd"} & set(values) == terms
        assert (values["ssim"] > 0) is bool(undamaged)
