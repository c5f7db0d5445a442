"""OpenVINO as a provider: the pictures of ONNX Runtime, in float32 to the last step and in bfloat16 nearly so."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("openvino")

import lexifuse
from lexifuse import graphs
from lexifuse.datasets.synthetic import Scene, render_scene
from lexifuse.errors import ModelError
from lexifuse.models import find_model
from lexifuse.openvino_graphs import BFLOAT16, FLOAT32, KEPT, OpenVinoGraph, openvino_package, precisions
from lexifuse.openvino_layout import apart, channels_first
from lexifuse.runtime import ask_graph
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS

WORDS = "the visible image is dark and noisy"


@pytest.fixture(scope="module")
def scene() -> Scene:
    return render_scene(3, height=144, width=192)


@pytest.mark.parametrize(("name", "steps"), [("compact", 2), ("compact-fine", 2), ("text-if-small", 12)])
def test_pictures_are_those_of_onnx_runtime(name: str, steps: int, scene: Scene) -> None:
    pair = scene.infrared, scene.visible
    wanted = lexifuse.load(name).fuse(*pair, WORDS).image.astype(int)
    difference = np.abs(lexifuse.load(name, provider="openvino").fuse(*pair, WORDS).image - wanted)
    assert difference.max() <= steps and difference.mean() < steps / 12


def asked(rng: np.random.Generator, height: int, width: int) -> dict[str, NDArray[np.float32]]:
    """Pictures and words that a compact network can be asked about."""
    return {
        "infrared": rng.random((1, 1, height, width), np.float32),
        "visible": rng.random((1, 3, height, width), np.float32),
        "conditioning": rng.random((1, len(CONDITIONING_FIELDS)), np.float32),
    }


@pytest.mark.parametrize("name", ["compact", "compact-fine"])
@pytest.mark.parametrize(("precision", "furthest", "mean"), [(FLOAT32, 1e-4, 1e-5), (BFLOAT16, 1.0, 0.02)])
def test_answers_are_those_of_onnx_runtime_at_any_size(name: str, precision: str, furthest: float, mean: float) -> None:
    (content,) = find_model(name).graphs()
    graph, wanted = OpenVinoGraph(content, threads=1, precision=precision), graphs.open_graph(content, "the network")
    assert FLOAT32 in precisions()
    rng = np.random.default_rng(0)
    # More sizes than are kept, and the first of them again.
    for size in [*(32 * n for n in range(1, KEPT + 2)), 32]:
        given = asked(rng, size, 64)
        difference = np.abs(ask_graph(graph, given)["fused"] - ask_graph(wanted, given)["fused"])
        assert difference.max() <= furthest and difference.mean() < mean


@pytest.mark.parametrize(("name", "doublings"), [("compact", 4), ("compact-fine", 3)])
def test_a_compact_network_is_computed_with_its_channels_first(name: str, doublings: int) -> None:
    openvino = openvino_package()
    model = openvino.Core().read_model(*find_model(name).graphs())
    assert kinds(model)["DepthToSpace"] == 0
    channels_first(openvino, model)
    network, rest = apart(openvino, model)
    assert kinds(network)["DepthToSpace"] == doublings and kinds(rest)["DepthToSpace"] == 1
    moved = [node for node in network.get_ordered_ops() if node.get_type_name() == "Transpose"]
    features = [node for node in moved if node.get_output_partial_shape(0).is_dynamic]
    assert not features and kinds(rest)["Transpose"] == 0


def test_what_is_not_known_is_left_as_it_is() -> None:
    openvino = openvino_package()
    for content in find_model("text-if-small").graphs():
        model = openvino.Core().read_model(content)
        before = kinds(model)
        channels_first(openvino, model)
        assert kinds(model) == before and apart(openvino, model) == (model,)


def kinds(model: Any) -> Counter[str]:
    """How many nodes of each kind a model has."""
    return Counter(node.get_type_name() for node in model.get_ordered_ops())


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
