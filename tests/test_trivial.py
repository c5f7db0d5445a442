"""The trivial fusions: exact rules, any size, and what each must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexifuse.datasets.synthetic import Scene
from lexifuse.errors import InputError
from lexifuse.evaluation.trivial import TRIVIAL
from lexifuse.metrics import luma


def test_labels_are_those_of_the_tables() -> None:
    assert tuple(TRIVIAL) == ("average", "max", "laplacian", "guided filter")


def test_average_and_max_follow_the_recipe() -> None:
    ir, vis = np.array([[0, 1, 255, 4]], np.uint8), np.array([[1, 2, 255, 9]], np.uint8)
    assert TRIVIAL["average"](ir, vis).tolist() == [[0, 2, 255, 6]]
    assert TRIVIAL["max"](ir, vis).tolist() == [[1, 2, 255, 9]]


@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 100))
def test_any_size_keeps_its_size_and_equal_sources(height: int, width: int, seed: int) -> None:
    ir, vis = np.random.default_rng(seed).integers(0, 256, (2, height, width)).astype(np.uint8)
    for fuse in TRIVIAL.values():
        fused = fuse(ir, vis)
        assert fused.shape == (height, width) and fused.dtype == np.uint8
        assert np.abs(fuse(vis, vis).astype(int) - vis).max() <= 1


@pytest.mark.parametrize("name", ["laplacian", "guided filter"])
def test_detail_of_either_source_survives(name: str) -> None:
    texture = np.random.default_rng(0).integers(-40, 41, (96, 128))
    ir, vis = np.full((96, 128), 100), np.full((96, 128), 140)
    ir[:, :64] += texture[:, :64]
    vis[:, 64:] += texture[:, 64:]
    ir, vis = ir.astype(np.uint8), vis.astype(np.uint8)
    fused, plain = TRIVIAL[name](ir, vis).astype(float), TRIVIAL["average"](ir, vis).astype(float)
    for part in (slice(20, 44), slice(84, 108)):
        wanted = texture[20:76, part].astype(float)
        strength = np.vdot(wanted, fused[20:76, part] - fused[20:76, part].mean()) / np.vdot(wanted, wanted)
        faded = np.vdot(wanted, plain[20:76, part] - plain[20:76, part].mean()) / np.vdot(wanted, wanted)
        assert strength > 0.85 and 0.4 < faded < 0.6


def test_the_guided_filter_has_the_parameters_of_the_paper(day: Scene) -> None:
    fused = TRIVIAL["guided filter"](day.infrared, luma(day.visible))
    known = [[167, 144, 112, 82], [169, 106, 109, 81], [193, 112, 211, 158], [142, 148, 82, 83]]
    np.testing.assert_allclose(fused[::36, ::48].astype(int), known, atol=1)
    assert (fused.mean(), fused.std()) == (pytest.approx(120.074, abs=2e-3), pytest.approx(42.866, abs=2e-3))


def test_sizes_must_agree() -> None:
    for fuse in TRIVIAL.values():
        with pytest.raises(InputError, match="visible is 5x4 but infrared is 4x4"):
            fuse(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))
