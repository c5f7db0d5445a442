"""The codebook: nearest codes, straight-through gradients, moving averages, revival, exact resumption, sizes."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch
from torch import Tensor

from lexifuse.errors import ModelError
from lexifuse.training.networks.codebook import Codebook


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def book(size: int = 5, width: int = 6, groups: int = 1, seed: int = 0, **options: float) -> Codebook:
    """One that has seen a batch."""
    torch.manual_seed(seed)
    codebook = Codebook(size, width, groups, **options)
    codebook(features(2, width, 4, 5))
    return codebook


@settings(max_examples=8, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), groups=st.sampled_from([1, 2, 3]), train=st.booleans())
def test_every_pixel_becomes_the_nearest_code_of_each_group(height: int, width: int, groups: int, train: bool) -> None:
    codebook = book(groups=groups).train(train)
    planes = features(2, 6, height, width, seed=1)
    codes = codebook.codes.clone()
    with torch.no_grad():
        quantised = codebook(planes)
    parts = planes.permute(0, 2, 3, 1).unflatten(3, (groups, -1))
    distances = (parts[..., None, :] - codes).norm(dim=-1)
    torch.testing.assert_close(quantised.indices, distances.argmin(-1).permute(0, 3, 1, 2))
    wanted = torch.stack([codes[group][quantised.indices[:, group]] for group in range(groups)], 3)
    torch.testing.assert_close(quantised.features, wanted.flatten(3).permute(0, 3, 1, 2), rtol=0, atol=0)
    torch.testing.assert_close(quantised.commitment, ((planes - quantised.features) ** 2).mean((1, 2, 3)))


def test_gradients_pass_straight_through_and_commitment_pulls_towards_the_codes() -> None:
    codebook = book().eval()
    planes = features(1, 6, 3, 3, seed=2).requires_grad_()
    weights = features(1, 6, 3, 3, seed=3)
    (codebook(planes).features * weights).sum().backward()
    torch.testing.assert_close(planes.grad, weights)
    planes.grad = None
    quantised = codebook(planes)
    quantised.commitment.sum().backward()
    torch.testing.assert_close(planes.grad, 2 * (planes - quantised.features).detach() / planes.numel())
    assert not list(codebook.parameters())


def test_codes_are_moving_averages_of_what_chose_them() -> None:
    codebook = book(size=3, decay=0.8, least=0.0)
    codes, counts = codebook.codes.clone(), codebook.counts.clone()
    planes = features(2, 6, 4, 5, seed=4)
    chosen = codebook(planes).indices.flatten()
    rows = planes.permute(0, 2, 3, 1).reshape(-1, 6)
    for code in range(3):
        mine = rows[chosen == code]
        count = 0.8 * counts[0, code] + 0.2 * len(mine)
        wanted = (0.8 * counts[0, code] * codes[0, code] + 0.2 * mine.sum(0)) / count
        torch.testing.assert_close(codebook.counts[0, code], count)
        torch.testing.assert_close(codebook.codes[0, code], wanted, rtol=1e-4, atol=1e-5)


def test_codes_find_the_clusters() -> None:
    centres = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, -4.0]])
    generator = torch.Generator().manual_seed(0)
    codebook = Codebook(12, 2, decay=0.8)
    for _ in range(40):
        rows = centres[torch.randint(4, (64,), generator=generator)] + 0.1 * torch.randn(64, 2, generator=generator)
        codebook(rows.view(1, 8, 8, 2).permute(0, 3, 1, 2))
    assert torch.cdist(centres, codebook.codes[0]).amin(1).max() < 0.2
    # None is left between the clusters, where nothing is.
    assert torch.cdist(centres, codebook.codes[0]).amin(0).max() < 0.5
    assert codebook.figures()["usage"] == 1.0
    assert 4 < codebook.figures()["perplexity"] <= 12


def test_dead_codes_take_the_place_of_features() -> None:
    codebook = book(size=8, width=2, decay=0.5)
    with torch.no_grad():
        codebook.codes[0, 3:] = 1000.0
        codebook.counts[0, 3:] = 1e-6
    assert codebook.figures()["usage"] < 0.5
    planes = features(1, 2, 6, 6, seed=5)
    codebook(planes)
    assert codebook.codes[0, 3:].abs().max() <= planes.abs().max()
    assert codebook.figures()["usage"] == 1.0


def test_figures_of_a_codebook_that_says_one_thing() -> None:
    codebook = Codebook(16, 2, groups=2)
    codebook.counts.zero_()[:, 5] = 7.0
    assert codebook.figures() == {"usage": 1 / 16, "perplexity": pytest.approx(1.0)}
    codebook.counts.fill_(3.0)
    assert codebook.figures() == {"usage": 1.0, "perplexity": pytest.approx(16.0)}


def test_looking_changes_nothing() -> None:
    codebook = book()
    before = copy.deepcopy(codebook.state_dict())
    with torch.no_grad():
        codebook(features(1, 6, 5, 5, seed=6))
    codebook.eval()(features(1, 6, 5, 5, seed=6))
    for name, value in codebook.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_stored_codebook_goes_on_exactly() -> None:
    straight, stored = book(size=12, least=0.5), Codebook(12, 6, least=0.5)
    stored.load_state_dict(copy.deepcopy(straight.state_dict()))
    torch.manual_seed(99)  # what is drawn elsewhere has no part in it
    for seed in range(3):
        for codebook in (straight, stored):
            codebook(features(1, 6, 4, 4, seed=seed))
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(stored.state_dict()[name], value, rtol=0, atol=0)


def test_fewer_features_than_codes_will_do() -> None:
    codebook = Codebook(64, 6)
    quantised = codebook(features(1, 6, 1, 1))
    assert quantised.commitment.item() == pytest.approx(0.0, abs=1e-6)
    assert math.isfinite(codebook.figures()["perplexity"])


@pytest.mark.parametrize(("size", "width", "groups"), [(7, 6, 1), (5, 12, 1), (5, 6, 2)])
def test_a_codebook_of_another_size_is_refused_in_one_line(size: int, width: int, groups: int) -> None:
    with pytest.raises(ModelError) as error:
        book().load_state_dict(Codebook(size, width, groups).state_dict())
    message = str(error.value)
    assert f"to {{groups: {groups}, size: {size}, width: {width}}}" in message
    assert "\n" not in message
    with pytest.raises(ModelError, match="trained without a codebook"):
        book().load_state_dict({})


def test_codes_are_chosen_in_full_precision_whatever_surrounds_them() -> None:
    codebook = book(size=64, width=12).eval()
    planes = features(2, 12, 16, 16, seed=2)
    with torch.no_grad():
        wanted = codebook(planes).indices
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(codebook(planes).indices, wanted)
