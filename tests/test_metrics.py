"""The metrics against slow implementations written from the definitions, hand-computed cases and known answers."""

from __future__ import annotations

import itertools
import json
import math
import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexifuse import metrics
from lexifuse.errors import InputError, UsageError
from lexifuse.metrics import planes


def scene(height: int = 40, width: int = 44, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A pair with smooth parts, edges, noise and equal pixels, and a fusion of it."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    visible = 90 + 60 * np.sin(across / 4) * np.cos(down / 6) + rng.normal(0, 6, (height, width))
    infrared = 60 + across + 70 * ((across - width / 2) ** 2 + (down - height / 2) ** 2 < 60)
    infrared[:, :10] = visible[:, :10]
    ir, vis = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (infrared, visible))
    fused = np.maximum(ir, vis)
    fused[height // 2 :] = np.rint((ir[height // 2 :].astype(float) + vis[height // 2 :]) / 2)
    return ir, vis, fused


# --- slow references, written from the formulas ---------------------------------------------------------------------


def slow_entropy(values) -> float:
    counts = Counter(values)
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def slow_mutual_information(one: np.ndarray, other: np.ndarray) -> float:
    joint = Counter(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    left, right = Counter(one.ravel().tolist()), Counter(other.ravel().tolist())
    return sum(n / one.size * math.log(n * one.size / (left[a] * right[b])) for (a, b), n in joint.items())


def slow_vif(reference: np.ndarray, distorted: np.ndarray) -> float:
    reference, distorted = reference.astype(float), distorted.astype(float)
    above = below = 0.0
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        grid = np.arange(size) - size // 2
        window = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / (2 * (size / 5) ** 2))
        window /= window.sum()

        def weighted(plane: np.ndarray, window: np.ndarray = window) -> np.ndarray:
            views = np.lib.stride_tricks.sliding_window_view(plane, window.shape)
            return (views * window).sum(axis=(2, 3))

        if scale > 1:
            if min(reference.shape) < size:
                break
            reference, distorted = weighted(reference)[::2, ::2], weighted(distorted)[::2, ::2]
        if min(reference.shape) < size:
            break
        mean_r, mean_d = weighted(reference), weighted(distorted)
        var_r = np.maximum(weighted(reference**2) - mean_r**2, 0)
        var_d = np.maximum(weighted(distorted**2) - mean_d**2, 0)
        cov = weighted(reference * distorted) - mean_r * mean_d
        for r, d, c in zip(var_r.flat, var_d.flat, cov.flat, strict=True):
            gain, rest = c / (r + 1e-10), d - c * c / (r + 1e-10)
            if r < 1e-10:
                gain, rest, r = 0.0, d, 0.0
            if d < 1e-10:
                gain, rest = 0.0, 0.0
            if gain < 0:
                gain, rest = 0.0, d
            above += math.log10(1 + gain**2 * r / (max(rest, 1e-10) + 2))
            below += math.log10(1 + r / 2)
    return above / below


def slow_sobel(plane: np.ndarray, row: int, column: int, mirrored: bool) -> tuple[float, float]:
    """Response of the two Sobel kernels, applied as convolutions, with a zero or mirrored border."""
    height, width = plane.shape
    across = up = 0.0
    for i, j in itertools.product((-1, 0, 1), repeat=2):
        y, x = row + i, column + j
        if mirrored:
            y, x = abs(y), abs(x)
            y, x = min(y, 2 * (height - 1) - y), min(x, 2 * (width - 1) - x)
        elif not (0 <= y < height and 0 <= x < width):
            continue
        across += j * (2 - abs(i)) * float(plane[y, x])
        up -= i * (2 - abs(j)) * float(plane[y, x])
    return across, up


def slow_edges(infrared: np.ndarray, visible: np.ndarray, fused: np.ndarray) -> tuple[float, float]:
    """Qabf and Nabf, pixel by pixel."""
    kept = weight = lost = weight_n = 0.0
    for row, column in np.ndindex(*fused.shape):
        responses = [slow_sobel(plane, row, column, False) for plane in (infrared, visible, fused)]
        strength = [math.hypot(*r) for r in responses]
        angle = [math.atan(u / a) if a else math.pi / 2 for a, u in responses]
        for g, t in zip(strength[:2], angle[:2], strict=True):
            ratio = strength[2] if g == strength[2] else min(g, strength[2]) / max(g, strength[2])
            turn = 1 - abs(t - angle[2]) / (math.pi / 2)
            kept += g * 0.9994 / (1 + math.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + math.exp(-22 * (turn - 0.8)))
            weight += g
        responses = [slow_sobel(plane, row, column, True) for plane in (infrared, visible, fused)]
        strength = [math.hypot(*r) / 8 for r in responses]
        angle = [math.atan(u / a) if a else (math.pi / 2 if u else 0.0) for a, u in responses]
        added = strength[2] > max(strength[:2])
        for g, t in zip(strength[:2], angle[:2], strict=True):
            ratio = 0.0 if g == 0 or strength[2] == 0 else min(g, strength[2]) / max(g, strength[2])
            turn = abs(abs(t - angle[2]) - math.pi / 2) / (math.pi / 2)
            quality = 0.9999 / (1 + math.exp(-19 * (ratio - 0.5))) * 0.9995 / (1 + math.exp(-22 * (turn - 0.5)))
            importance = g**1.5 if g >= 2 else 0.001
            lost += importance * (1 - math.sqrt(quality)) * added
            weight_n += importance
    return kept / weight, lost / weight_n


def slow_ssim(one: np.ndarray, other: np.ndarray, span: float) -> float:
    values = []
    for top, left in np.ndindex(one.shape[0] - 6, one.shape[1] - 6):
        a, b = (plane[top : top + 7, left : left + 7].astype(float).ravel() for plane in (one, other))
        (var_a, cov), (_, var_b) = np.cov(a, b)
        c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
        numerator = (2 * a.mean() * b.mean() + c1) * (2 * cov + c2)
        values.append(numerator / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(values))


def slow_fmi(source: np.ndarray, fused: np.ndarray) -> float:
    values = []
    for top, left in np.ndindex(source.shape[0] - 2, source.shape[1] - 2):
        a, b = (plane[top : top + 3, left : left + 3].astype(float).T.ravel() for plane in (source, fused))
        if (a == b).all():
            values.append(1.0)
            continue
        p, q = ((w - w.min() if w.max() > w.min() else np.ones(9)) for w in (a, b))
        p, q = p / p.sum(), q / q.sum()
        c = float(np.corrcoef(p, q)[0, 1]) if np.ptp(p) > 0 and np.ptp(q) > 0 else 0.0
        cdf_p, cdf_q, k = np.cumsum(p), np.cumsum(q), np.arange(1, 10)
        bound = np.zeros((10, 10))
        for i, j in itertools.product(range(9), repeat=2):
            low, high = max(cdf_p[i] + cdf_q[j] - 1, 0), min(cdf_p[i], cdf_q[j])
            bound[i + 1, j + 1] = high if c >= 0 else low
        covariance = (bound[1:, 1:] - np.outer(cdf_p, cdf_q)).sum()
        spread = math.sqrt((k**2 @ p - (k @ p) ** 2) * (k**2 @ q - (k @ q) ** 2))
        share = c * spread / covariance if abs(covariance) > 1e-12 else 0.0
        joint = share * np.diff(np.diff(bound, axis=0), axis=1) + (1 - share) * np.outer(p, q)
        h_joint = -sum(v * math.log2(abs(v)) for v in joint.flat if v)
        h = -sum(v * math.log2(v) for v in (*p, *q) if v)
        values.append(2 * (h - h_joint) / h)
    return float(np.mean(values))


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strip", [25_000, 100])
def test_every_metric_agrees_with_its_definition(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "STRIP", strip)
    ir, vis, fused = scene(24, 26)
    values = fused.astype(float)
    height, width = fused.shape
    gradients = []
    for row, column in np.ndindex(height, width):
        pairs = [
            (
                values[min(row + 1, height - 1), column] - values[max(row - 1, 0), column],
                2 if 0 < row < height - 1 else 1,
            ),
            (
                values[row, min(column + 1, width - 1)] - values[row, max(column - 1, 0)],
                2 if 0 < column < width - 1 else 1,
            ),
        ]
        gradients.append(math.sqrt(sum((change / step) ** 2 for change, step in pairs) / 2))
    added = [np.corrcoef(s.ravel(), (values - t).ravel())[0, 1] for s, t in ((ir, vis), (vis, ir))]
    alike = [np.corrcoef(s.ravel(), values.ravel())[0, 1] for s in (ir, vis)]
    qabf, nabf = slow_edges(ir, vis, fused)
    error = np.mean([(values - ir) ** 2, (values - vis) ** 2])
    expected = {
        "EN": slow_entropy(fused.ravel().tolist()),
        "SD": math.sqrt(np.mean((values - values.mean()) ** 2)),
        "SF": math.sqrt(np.mean(np.diff(values, axis=0) ** 2) + np.mean(np.diff(values, axis=1) ** 2)),
        "AG": np.mean(gradients),
        "MI": slow_mutual_information(ir, fused) + slow_mutual_information(vis, fused),
        "SCD": sum(added),
        "VIF": slow_vif(ir, fused) + slow_vif(vis, fused),
        "Qabf": qabf,
        "SSIM": slow_ssim(ir, fused, 255) + slow_ssim(vis, fused, 255),
        "SSIM_literature": slow_ssim(ir, fused, 2) + slow_ssim(vis, fused, 2),
        "CC": sum(alike) / 2,
        "FMI": (slow_fmi(ir, fused) + slow_fmi(vis, fused)) / 2,
        "Nabf": nabf,
        "PSNR": 10 * math.log10(255**2 / error),
    }
    measured = metrics.fusion_metrics(ir, vis, fused, metrics.METRICS)
    assert measured == pytest.approx(expected, rel=1e-9)


def test_vif_agrees_with_its_definition_on_all_four_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "STRIP", 500)
    ir, vis, fused = scene(52, 60, seed=1)
    expected = slow_vif(ir, fused) + slow_vif(vis, fused)
    assert metrics.visual_information_fidelity(ir, vis, fused) == pytest.approx(expected, rel=1e-9)
    flat = ir.copy()
    flat[:, 30:] = 100
    expected = slow_vif(flat, fused) + slow_vif(vis, fused)
    assert metrics.visual_information_fidelity(flat, vis, fused) == pytest.approx(expected, rel=1e-9)


def test_values_computed_by_hand() -> None:
    board = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 255
    assert metrics.entropy(board) == pytest.approx(1.0)
    assert metrics.standard_deviation(board) == pytest.approx(127.5)
    assert metrics.spatial_frequency(board) == pytest.approx(255 * math.sqrt(2))
    assert metrics.mutual_information(board, 255 - board, board) == pytest.approx(2 * math.log(2))
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (20, 1))
    assert metrics.average_gradient(ramp) == pytest.approx(10 / math.sqrt(2))
    assert metrics.psnr(ramp, ramp + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5))
    assert metrics.psnr(ramp, ramp) == math.inf
    assert metrics.ssim(ramp, ramp) == pytest.approx(1.0)
    assert metrics.correlation_coefficient(ramp, 255 - ramp, ramp) == pytest.approx(0.0)


def test_documented_example_prints_the_documented_values(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    code, expected = (page.split(f"```{kind}\n")[1].split("```")[0] for kind in ("python", "text"))
    exec(code, {})
    assert capsys.readouterr().out == expected


def test_identical_images_reach_the_best_value() -> None:
    plane, _, _ = scene()
    best = metrics.fusion_metrics(plane, plane, plane, ("VIF", "SSIM", "CC", "FMI", "PSNR", "Nabf"))
    assert best["VIF"] == pytest.approx(2.0, abs=1e-6)
    assert best["SSIM"] == pytest.approx(2.0)
    assert best["CC"] == pytest.approx(1.0)
    assert best["FMI"] == pytest.approx(1.0)
    assert best["PSNR"] == math.inf
    assert best["Nabf"] == 0.0


def test_sources_are_interchangeable() -> None:
    ir, vis, fused = scene()
    one = metrics.fusion_metrics(ir, vis, fused, metrics.METRICS)
    assert one == pytest.approx(metrics.fusion_metrics(vis, ir, fused, metrics.METRICS))


# --- degenerate input -------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    kinds=st.tuples(*[st.sampled_from(["noise", "ramp", "black", "grey"])] * 3),
    seed=st.integers(0, 1000),
)
def test_any_size_and_constant_images_are_measured_without_warnings(height, width, kinds, seed) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "noise": rng.integers(0, 256, (height, width)),
        "ramp": np.add.outer(np.arange(height), np.arange(width)) * 3,
        "black": np.zeros((height, width)),
        "grey": np.full((height, width), 128),
    }
    ir, vis, fused = (made[kind].astype(np.uint8) for kind in kinds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = metrics.fusion_metrics(ir, vis, fused, metrics.METRICS)
    for name, value in measured.items():
        assert isinstance(value, float)
        if math.isnan(value):
            assert metrics.METRICS[name].undefined_when
    assert 0 <= measured["EN"] <= 8
    assert math.isnan(measured["SSIM"]) == (min(height, width) < 7)
    constant = {kind for kind in kinds[:2] if kind in ("black", "grey")}
    assert not (constant and not math.isnan(measured["VIF"]))


def test_a_constant_source_leaves_the_other_metrics_defined() -> None:
    _, vis, _ = scene()
    grey = np.full_like(vis, 90)
    measured = metrics.fusion_metrics(grey, vis, np.maximum(grey, vis))
    assert [name for name, value in measured.items() if math.isnan(value)] == ["SCD", "VIF"]


def test_wrong_planes_are_refused_with_a_reason() -> None:
    ir, vis, fused = scene()
    with pytest.raises(InputError, match="fused is 44x39 but infrared is 44x40"):
        metrics.fusion_metrics(ir, vis, fused[:-1])
    broken = fused / 255.0
    broken[3, 4] = np.nan
    with pytest.raises(InputError, match="fused has pixels that are NaN"):
        metrics.fusion_metrics(ir, vis, broken)
    with pytest.raises(InputError, match="8-bit luma plane"):
        metrics.entropy(fused.astype(np.float64))
    with pytest.raises(InputError, match="no pixels"):
        metrics.entropy(fused[:0])
    with pytest.raises(UsageError, match="did you mean 'Qabf'"):
        metrics.fusion_metrics(ir, vis, fused, ["qab"])


# --- known answers ----------------------------------------------------------------------------------------------------


def _known_answers() -> tuple[Path, list[dict]]:
    root = os.environ.get("LEXIFUSE_DATA")
    if not root:
        pytest.skip("LEXIFUSE_DATA is not set")
    table = Path(root).resolve().parent / "metric_reference.json"
    if not table.is_file():
        pytest.skip("no metric_reference.json beside LEXIFUSE_DATA")
    return Path(root), json.loads(table.read_text())["values"]


def test_known_answers_on_real_pairs() -> None:
    root, rows = _known_answers()
    for row in rows:
        sources = []
        for source in ("ir", "vi"):
            (path,) = (root / row["dataset"] / "test" / source).glob(row["pair"] + ".*")
            with Image.open(path) as picture:
                sources.append(metrics.luma(np.asarray(picture.convert("RGB"))))
        ir, vis = sources
        fused = (
            np.maximum(ir, vis) if row["fusion"] == "max" else np.rint((ir.astype(float) + vis) / 2).astype(np.uint8)
        )
        names = (*metrics.NINE, "SSIM_literature")
        expected = {name: row[name] for name in names}
        assert metrics.fusion_metrics(ir, vis, fused, names) == pytest.approx(expected, rel=5e-3), row["pair"]
