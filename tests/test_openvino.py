"""OpenVINO as a provider: the pictures of ONNX Runtime, in float32 to the last step and in bfloat16 nearly so."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("openvino")

import lexifuse
from lexifuse import graphs
from lexifuse.datasets.synthetic import Scene, render_scene
from lexifuse.errors import ModelError
from lexifuse.models import find_model
from lexifuse.openvino_graphs import OpenVinoGraph, precisions
from lexifuse.runtime import ask_graph

WORDS = "the visible image is dark and noisy"


@pytest.fixture(scope="module")
def scene() -> Scene:
    return render_scene(3, height=144, width=192)


@pytest.mark.parametrize("name", ["compact", "compact-fine", "text-if-small"])
def test_pictures_are_those_of_onnx_runtime(name: str, scene: Scene) -> None:
    pair = scene.infrared, scene.visible
    wanted = lexifuse.load(name).fuse(*pair, WORDS).image.astype(int)
    difference = np.abs(lexifuse.load(name, provider="openvino").fuse(*pair, WORDS).image - wanted)
    assert difference.max() <= 12 and difference.mean() < 1.0


def test_float32_is_float32() -> None:
    (content,) = find_model("compact").graphs()
    rng = np.random.default_rng(0)
    given = {"infrared": rng.random((1, 1, 48, 64), np.float32), "visible": rng.random((1, 3, 48, 64), np.float32)}
    given["conditioning"] = rng.random((1, 29), np.float32)
    wanted = ask_graph(graphs.open_graph(content, "the network"), given)["fused"]
    assert "f32" in precisions()
    found = ask_graph(OpenVinoGraph(content, threads=1, precision="f32"), given)["fused"]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_several_threads_may_ask_at_once(scene: Scene) -> None:
    fuser = lexifuse.load("compact", provider="openvino")
    pairs = [(scene.infrared[: 48 + 16 * n], scene.visible[: 48 + 16 * n]) for n in range(6)]
    alone = [fuser.fuse(*pair).image for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: fuser.fuse(*pair).image, pairs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_graph_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"^the network cannot be run: [^\n]+$"):
        graphs.open_graph(b"not a graph", "the network", provider="openvino")
    monkeypatch.setattr(graphs, "openvino_is_here", lambda: False)
    with pytest.raises(
        ModelError, match=r"provider 'openvino' is not installed \(pip install 'lexifuse\[openvino\]'\)"
    ):
        lexifuse.load("compact", provider="openvino")


def test_nothing_is_sent_anywhere() -> None:
    program = """
import sys
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event.startswith("socket.") else None)
import numpy, lexifuse
pair = numpy.zeros((40, 60), "uint8"), numpy.zeros((40, 60, 3), "uint8")
lexifuse.load("compact", provider="openvino").fuse(*pair)
assert "openvino" in sys.modules and not asked, asked
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
