"""The race of a model with the published kinds of networks: everybody runs, and is compared with the model."""

from __future__ import annotations

import pytest

import lexifuse

torch = pytest.importorskip("torch")

from lexifuse.training.networks.text_if import TextIF
from lexifuse.training.speed import PLAIN_GMAC, PlainConvolutions, race


def test_all_networks_take_part(fuser: lexifuse.Fuser) -> None:
    small = TextIF(width=8, blocks=(1, 1, 1, 1), refinement=1)
    steps: list[None] = []
    racers = race(fuser, width=64, height=48, rounds=2, paper=small, advance=lambda: steps.append(None))
    assert "compact" in racers[0].label
    assert ["PyTorch" in racer.label for racer in racers] == [False, False, True, True]
    assert racers[0].times == 1.0
    assert all(racer.seconds > 0 and racer.times > 0 for racer in racers)
    assert len(steps) == 8
    (elsewhere, *_) = race(fuser, width=64, height=48, rounds=1, paper=small, engine="OpenVINO")
    assert elsewhere.label == "compact, network alone, OpenVINO"


def test_the_convolutional_network_costs_what_it_says() -> None:
    network = PlainConvolutions()
    assert network.gmac(640, 480) == pytest.approx(PLAIN_GMAC, rel=0.02)
    assert network(torch.rand(1, 2, 9, 11)).shape == (1, 1, 9, 11)
