"""Fixtures: pairs that the project renders itself, and the shipped model loaded once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import lexifuse
from lexifuse.datasets.synthetic import Scene, render_scene


@pytest.fixture(scope="session")
def night() -> Scene:
    return render_scene(3, height=144, width=192, time="night")


@pytest.fixture(scope="session")
def day() -> Scene:
    return render_scene(3, height=144, width=192, time="day")


@pytest.fixture(scope="session")
def fuser() -> lexifuse.Fuser:
    return lexifuse.load("compact")


@pytest.fixture
def pair_files(tmp_path: Path, day: Scene) -> tuple[Path, Path]:
    """One rendered pair as files: infrared PNG, visible PNG."""
    infrared, visible = tmp_path / "in" / "ir.png", tmp_path / "in" / "street.png"
    lexifuse.write_image(infrared, day.infrared)
    lexifuse.write_image(visible, day.visible)
    return infrared, visible


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Four small pairs in two folders."""
    rng = np.random.default_rng(0)
    infrared, visible = tmp_path / "ir", tmp_path / "vi"
    for name in "abcd":
        lexifuse.write_image(infrared / f"{name}.png", rng.integers(0, 256, (24, 32), np.uint8))
        lexifuse.write_image(visible / f"{name}.jpg", rng.integers(0, 256, (24, 32, 3), np.uint8))
    return infrared, visible


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets named by LEXIFUSE_DATA; tests that want it skip without."""
    folder = os.environ.get("LEXIFUSE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LEXIFUSE_DATA does not name a folder of real data sets")
    return Path(folder)
