"""The wheel, as a new user gets it: built, installed into a clean environment without torch, and its demo run."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (found,) = folder.glob("lexifuse-*.whl")
    return found


def test_the_wheel_holds_the_models_and_no_more_than_it_may(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
    assert "lexifuse/weights/compact/card.json" in sizes
    assert "lexifuse/weights/compact/compact.onnx" in sizes
    assert "lexifuse/training/recipes/compact.yaml" in sizes
    assert sum(size for name, size in sizes.items() if name.startswith("lexifuse/weights/")) <= 40e6
    assert not [name for name in sizes if name.endswith((".pkl", ".pt", ".pth", ".part"))]
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in sizes}


def test_a_clean_environment_runs_the_demo_without_torch(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    installed = subprocess.run(install, capture_output=True, text=True, timeout=400)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("no package index can be reached")
    assert installed.returncode == 0, installed.stderr
    command = str(python.parent / "lexifuse")
    shown = subprocess.run([command, "demo", "-o", "shown"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "shown" / "contact_sheet.png").is_file()
    cards = json.loads(subprocess.run([command, "models", "--json"], capture_output=True, check=True).stdout)
    assert "compact" in {card["name"] for card in cards}
    refused = subprocess.run([command, "train", "compact", "--data", "."], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.strip() == "lexifuse: training needs optional packages: pip install 'lexifuse[train]'"
