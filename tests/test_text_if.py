"""Text-IF, the network: parameters and cost as published, any size, guided by words, blocks true to their formulas."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from torch import Tensor, nn

from lexifuse.training.export import count_gmac, to_onnx
from lexifuse.training.families import family_of
from lexifuse.training.networks.blocks import ChannelNorm, CrossAttention, FeedForward, SpatialAttention, attend
from lexifuse.training.networks.text_if import TextIF
from lexifuse.training.recipe import TextIFShape, load_recipe

TINY = TextIFShape(width=4, blocks=(1, 0, 0, 1), refinement=1, heads=(1, 2, 2, 2), text_width=6)


def tiny(**changes: Any) -> TextIF:
    torch.manual_seed(0)
    return TextIF(**{**TINY.model_dump(), **changes}).eval()


def pictures(height: int, width: int, seed: int = 0, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    infrared, visible = (torch.rand(batch, planes, height, width, generator=generator) for planes in (1, 3))
    return infrared, visible


WORDS = torch.linspace(-1, 1, 6).view(1, 1, 6)


# The network


def test_at_paper_width_the_parameters_and_the_cost_are_the_published_ones() -> None:
    with torch.device("meta"):
        network = TextIF()
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(63.8e6, rel=0.005)
    assert count_gmac(network, torch.zeros(1, 1, 512)) == pytest.approx(1617, rel=0.005)


def test_the_small_preset_fits_into_eight_megabytes_of_half_precision() -> None:
    with torch.device("meta"):
        network = family_of(load_recipe("text-if-small")).network()
    count = sum(weight.numel() for weight in network.parameters())
    assert 3.85e6 < count < 7e6
    assert 2 * count < 8e6
    defaults = {name: one.default for name, one in inspect.signature(TextIF).parameters.items()}
    assert defaults == {**TextIFShape().model_dump(), "feature_width": 0}
    published = load_recipe("text-if")
    assert published.text_if == TextIFShape()
    assert (published.learning_rate, published.weight_decay, published.crop) == (1e-4, 5e-2, 96)


@settings(max_examples=8, deadline=None)
@given(height=st.integers(1, 45), width=st.integers(1, 45), patch=st.sampled_from([1, 2]), window=st.integers(0, 3))
def test_the_output_is_as_large_as_the_input(height: int, width: int, patch: int, window: int) -> None:
    network = tiny(patch=patch, window=window)
    with torch.no_grad():
        fused = network(*pictures(height, width), WORDS)
    assert fused.shape == (1, 3, height, width)
    assert fused.isfinite().all()


def test_padding_leaves_the_picture_alone() -> None:
    # 41x37 is what the released code would have rounded down to 32x32.
    infrared, visible = pictures(41, 37)
    network = tiny(from_brighter=True)
    nn.init.zeros_(network.output.weight)
    with torch.no_grad():
        fused = network(infrared, visible, WORDS)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    wanted = torch.maximum(infrared, (visible * weights).sum(1, keepdim=True))
    torch.testing.assert_close((fused * weights).sum(1, keepdim=True), wanted, rtol=1e-3, atol=1e-3)


def test_nothing_is_stretched_per_picture() -> None:
    # A flat grey pair has no range that could be stretched to 0..1; what comes out must stay where it was.
    network = tiny(from_brighter=True)
    nn.init.zeros_(network.output.weight)
    for value in (0.2, 0.45):
        flat = torch.full((1, 1, 16, 16), value)
        with torch.no_grad():
            fused = network(flat, flat.expand(-1, 3, -1, -1), WORDS)
        torch.testing.assert_close(fused, torch.full_like(fused, value), rtol=1e-3, atol=1e-3)


def test_words_guide_the_picture_at_the_levels_that_listen() -> None:
    pair = pictures(16, 24)
    other = WORDS.flip(-1)
    with torch.no_grad():
        for guided in ((1, 2, 3, 4), (3,)):
            network = tiny(guided=guided)
            assert (network(*pair, WORDS) - network(*pair, other)).abs().max() > 1e-4
        deaf = tiny(guided=())
        torch.testing.assert_close(deaf(*pair, WORDS), deaf(*pair, other), rtol=0, atol=0)


def test_other_words_need_no_second_look_at_the_pictures() -> None:
    pair, other = pictures(19, 24), WORDS.flip(-1)
    network = tiny()
    with torch.no_grad():
        encoded = network.encode(*pair)
        for encoder in (network.visible_encoder, network.infrared_encoder):
            encoder.register_forward_hook(lambda *_: pytest.fail("a picture was encoded again"))
        first, second = network.decode(encoded, WORDS), network.decode(encoded, other)
    again = tiny()
    with torch.no_grad():
        torch.testing.assert_close(first, again(*pair, WORDS))
        torch.testing.assert_close(second, again(*pair, other))


def test_an_adapter_leads_from_tokens_of_another_width_and_filling_changes_nothing() -> None:
    network = tiny(feature_width=5)
    pair = pictures(16, 16)
    tokens = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = network(*pair, tokens)
        filled = network(*pair, torch.cat((tokens, tokens[:, :1].expand(-1, 4, -1)), 1))
    torch.testing.assert_close(filled, wanted)
    assert isinstance(tiny(feature_width=6).adapter, nn.Identity)


def test_without_cross_attention_the_modalities_meet_only_in_the_fusion() -> None:
    assert tiny(cross_attention=False).cross_attention is None
    with torch.no_grad():
        assert tiny(cross_attention=False)(*pictures(16, 16), WORDS).shape == (1, 3, 16, 16)


def test_windowed_attention_exports_too(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = tiny(window=2, patch=2, blocks=(0, 0, 0, 0), refinement=0)
    to_onnx(network, tmp_path / "windowed.onnx", torch.zeros(1, 1, 6))
    session = onnxruntime.InferenceSession(tmp_path / "windowed.onnx", providers=["CPUExecutionProvider"])
    infrared, visible = pictures(41, 70)
    inputs = {"infrared": infrared.numpy(), "visible": visible.numpy(), "conditioning": WORDS.numpy()}
    with torch.no_grad():
        wanted = network(infrared, visible, WORDS).clamp(0, 1)
    np.testing.assert_allclose(session.run(None, inputs)[0], wanted.numpy(), atol=1e-4)


# The blocks


def reference_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = (planes.flatten(2) for planes in (query, key, value))
    weights = (query.transpose(1, 2) @ key / math.sqrt(query.shape[1])).softmax(-1)
    return value @ weights.transpose(1, 2)


def test_attention_among_pixels_is_that_of_the_formula() -> None:
    query, key, value = torch.randn(3, 2, 8, 4, 6, generator=torch.Generator().manual_seed(0)).unbind(0)
    mixed = attend(query, key, value)
    torch.testing.assert_close(mixed.flatten(2), reference_attention(query, key, value), rtol=1e-4, atol=1e-5)


def test_windowed_attention_is_attention_inside_each_square() -> None:
    query, key, value = torch.randn(3, 2, 8, 4, 6, generator=torch.Generator().manual_seed(0)).unbind(0)
    mixed = attend(query, key, value, window=2)
    for top in (0, 2):
        for left in (0, 2, 4):
            square = np.s_[..., top : top + 2, left : left + 2]
            wanted = reference_attention(query[square], key[square], value[square])
            torch.testing.assert_close(mixed[square].flatten(2), wanted, rtol=1e-4, atol=1e-5)


def test_windows_that_do_not_divide_the_picture_are_filled_up() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 8, 5, 7)
    assert SpatialAttention(8, window=3)(features).shape == features.shape
    whole = SpatialAttention(8)
    windowed = SpatialAttention(8, window=4)
    windowed.load_state_dict(whole.state_dict())
    even = torch.randn(1, 8, 4, 4)
    torch.testing.assert_close(windowed(even), whole(even), rtol=1e-4, atol=1e-5)


def test_cross_attention_swaps_the_queries() -> None:
    torch.manual_seed(0)
    block = CrossAttention(16)
    first, second = torch.randn(2, 1, 16, 3, 4)
    answers = block(first, second)
    normed = [norm(planes) for norm, planes in zip(block.norms, (first, second), strict=True)]
    parts = [qkv(planes).chunk(3, 1) for qkv, planes in zip(block.qkvs, normed, strict=True)]
    for index, answer in enumerate(answers):
        mixed = reference_attention(parts[1 - index][0], parts[index][1], parts[index][2])
        wanted = normed[index] + block.outs[index](mixed.view(1, 16, 3, 4))
        torch.testing.assert_close(answer, wanted, rtol=1e-4, atol=1e-5)


def test_norm_and_feed_forward_are_as_described() -> None:
    features = 5 + 3 * torch.randn(2, 8, 4, 4)
    normed = ChannelNorm(8)(features)
    torch.testing.assert_close(normed.mean(1), torch.zeros(2, 4, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(normed.var(1, unbiased=False), torch.ones(2, 4, 4), rtol=1e-3, atol=1e-3)
    block = FeedForward(8, 2)
    assert block.middle.weight.shape == (16, 16, 3, 3)
    assert not any(name.endswith("bias") for name, _ in block.named_parameters())
