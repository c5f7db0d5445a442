"""Training that starts from an exported model: its weights are found again in the ONNX file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from lexifuse.errors import ModelError
from lexifuse.graphs import open_graph
from lexifuse.language.encoder import token_states
from lexifuse.models import find_model, write_card
from lexifuse.runtime import ask_graph
from lexifuse.training.export import to_onnx
from lexifuse.training.families import family_of
from lexifuse.training.networks.compact_fine import CompactFineFusion
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.recipe import load_recipe
from lexifuse.training.starting_weights import load_start


def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"infrared": (1, 1, 64, 96), "visible": (1, 3, 64, 96), "conditioning": (1, len(CONDITIONING_FIELDS))}
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", ["compact", "compact-fine"])
def test_a_shipped_model_can_be_trained_further(name: str) -> None:
    family = family_of(load_recipe(name))
    network = family.network().eval()
    load_start(name, family, network)
    given = inputs()
    wanted = ask_graph(open_graph(find_model(name).read(), "the network"), given)["fused"]
    with torch.no_grad():
        found = network(*(torch.from_numpy(value) for value in given.values())).clamp(0, 1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_shipped_model_in_two_halves_can_be_trained_further() -> None:
    family = family_of(load_recipe("text-if-small"))
    network = family.network().eval()
    load_start("text-if-small", family, network)
    given = {**inputs(), "conditioning": token_states("the visible image is dark")[None]}
    answers: dict[str, np.ndarray] = dict(given)
    for graph in find_model("text-if-small").graphs():
        answers |= ask_graph(open_graph(graph, "the network"), answers)
    with torch.no_grad():
        found = network(*(torch.from_numpy(value) for value in given.values())).clamp(0, 1).numpy()
    np.testing.assert_allclose(found, answers["fused"], atol=1e-4)


def test_every_weight_comes_back_as_it_was(tmp_path: Path) -> None:
    family = family_of(load_recipe("compact"))
    torch.manual_seed(0)
    first, second = family.network(), family.network()
    for weight in first.parameters():
        torch.nn.init.normal_(weight)
    card = find_model("compact").card
    to_onnx(first, tmp_path / card.file)
    write_card(replace(card, sha256=hashlib.sha256((tmp_path / card.file).read_bytes()).hexdigest()), tmp_path)
    load_start(tmp_path, family, second)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_network_is_refused_and_nothing_is_changed() -> None:
    family = family_of(load_recipe("compact-fine"))
    network = CompactFineFusion()
    before = [weight.clone() for weight in network.parameters()]
    with pytest.raises(ModelError, match="model 'compact' is another network than this one"):
        load_start("compact", family, network)
    for one, other in zip(before, network.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ModelError, match="there is no model 'abacus'"):
        load_start("abacus", family, network)
