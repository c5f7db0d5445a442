"""From Text to Pixels: any size, words that are attended to, what each module sees, training that resumes, export."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Sequence
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
from torch.utils.data import default_collate

from lexifuse.errors import ModelError, UsageError
from lexifuse.training.checkpoint import load_average
from lexifuse.training.crops import open_crops
from lexifuse.training.export import count_gmac, export_model
from lexifuse.training.families import TextToPixelsFamily, family_of
from lexifuse.training.networks.multilevel import Extractor, MultiLevelBlock
from lexifuse.training.networks.text_to_pixels import FusionDetails, TextAttention, TextToPixels
from lexifuse.training.recipe import (
    CodebookShape,
    DataSource,
    LossWeights,
    Recipe,
    SampleMix,
    TextConditioning,
    TextToPixelsShape,
    load_recipe,
)
from lexifuse.training.text_encoders import EmbeddedEncoder, TextEncoder, Tokens, pad
from lexifuse.training.text_features import TextFeatures
from lexifuse.training.text_to_pixels_losses import lost_to_codes, text_to_pixels_terms
from lexifuse.training.trainer import train

TINY = TextToPixelsShape(
    width=6,
    blocks=(1, 0, 0),
    layers=1,
    heads=(1, 2, 2),
    expansion=1,
    text_width=6,
    window=2,
    codebook=CodebookShape(size=16, width=6, groups=2),
)
RECIPE = Recipe(
    network="text-to-pixels",
    sources=(DataSource(name="synthetic", crops=8),),
    crop_store=56,
    crop=48,
    batch=2,
    steps=2,
    warm_up=1,
    validation=2,
    mix=SampleMix(wish=0.0),
    losses=LossWeights(consistency=3.0, consistency_start=0.5),
    text=TextConditioning(encoder="stub", width=5, features="tokens", prompts=60),
    text_to_pixels=TINY.model_copy(update={"listening": "everywhere", "from_brighter": True, "patch": 2}),
)


class StubEncoder(TextEncoder):
    """Five numbers per word, made from its letters."""

    def __init__(self) -> None:
        super().__init__()
        self.id, self.width, self.context = "stub", 5, 40

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        return Tokens(*pad([[sum(map(ord, word)) for word in prompt.split()[:40]] for prompt in prompts]))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.sin(ids[..., None] * torch.tensor([1.0, 0.7, 0.3, 0.11, 0.013])) + 3.0 * ~mask[..., None]


def tiny(**changes: Any) -> TextToPixels:
    torch.manual_seed(0)
    network = TextToPixels(**{**TINY.model_dump(), **changes})
    if network.quantiser is not None:
        network(*pictures(24, 24), WORDS)  # codes begin where features are
    return network.eval()


def pictures(height: int, width: int, seed: int = 0, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    infrared, visible = (torch.rand(batch, planes, height, width, generator=generator) for planes in (1, 3))
    return infrared, visible


WORDS = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(3))


# The network


def test_the_small_preset_is_small_and_the_defaults_are_our_reading() -> None:
    with torch.device("meta"):
        small = family_of(load_recipe("text-to-pixels-small")).network()
        whole = family_of(load_recipe("text-to-pixels")).network()
    counts = [sum(weight.numel() for weight in network.parameters()) for network in (small, whole)]
    assert counts == [pytest.approx(2.0e6, rel=0.005), pytest.approx(35.6e6, rel=0.005)]
    assert count_gmac(small, torch.zeros(1, 4, 384)) == pytest.approx(13.8, rel=0.005)
    assert count_gmac(whole, torch.zeros(1, 4, 512)) == pytest.approx(849, rel=0.005)
    defaults = {name: one.default for name, one in inspect.signature(TextToPixels).parameters.items()}
    assert {**defaults, "codebook": CodebookShape().model_dump()} == {
        **TextToPixelsShape().model_dump(),
        "feature_width": 0,
    }
    assert load_recipe("text-to-pixels").text_to_pixels == TextToPixelsShape()


@settings(max_examples=8, deadline=None)
@given(
    height=st.integers(1, 45),
    width=st.integers(1, 45),
    patch=st.sampled_from([1, 2, 4]),
    window=st.integers(0, 3),
    extractor=st.sampled_from(["multi-level", "dilated"]),
)
def test_the_output_is_as_large_as_the_input(
    height: int, width: int, patch: int, window: int, extractor: Extractor
) -> None:
    network = tiny(patch=patch, window=window, extractor=extractor)
    with torch.no_grad():
        details = network(*pictures(height, width), WORDS, details=True)
    assert isinstance(details, FusionDetails)
    assert details.picture.shape == details.visible.shape == (1, 3, height, width)
    assert details.infrared.shape == (1, 1, height, width)
    assert details.picture.isfinite().all()


def test_padding_leaves_the_picture_alone() -> None:
    infrared, visible = pictures(41, 37)
    network = tiny(from_brighter=True)
    nn.init.zeros_(network.output.weight)
    with torch.no_grad():
        fused = network(infrared, visible, WORDS)
    assert isinstance(fused, Tensor)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    wanted = torch.maximum(infrared, (visible * weights).sum(1, keepdim=True))
    torch.testing.assert_close((fused * weights).sum(1, keepdim=True), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("listening", ["everywhere", "transformer", "nowhere"])
def test_words_change_the_picture_where_the_network_listens(listening: str) -> None:
    network, pair = tiny(listening=listening, codebook=None), pictures(16, 24)
    with torch.no_grad():
        change = (network(*pair, WORDS) - network(*pair, -WORDS)).abs().max()
    assert change > 1e-4 if listening != "nowhere" else change == 0


def test_filling_up_a_prompt_changes_nothing_under_its_mask() -> None:
    network, pair = tiny(listening="everywhere"), pictures(16, 16)
    filled = torch.cat((WORDS, torch.full((1, 4, 6), 9.0)), 1)
    mask = torch.arange(7)[None] < 3
    with torch.no_grad():
        wanted = network(*pair, WORDS)
        torch.testing.assert_close(network(*pair, filled, mask), wanted)
        assert (network(*pair, filled) - wanted).abs().max() > 1e-4


def test_pixels_attend_to_the_words_by_the_formula() -> None:
    torch.manual_seed(0)
    attention = TextAttention(4, 6, heads=1)
    planes = torch.randn(1, 4, 2, 3)
    query = attention.query(attention.norm(planes)).flatten(2)[0].T
    key, value = attention.key_value(WORDS)[0].chunk(2, 1)
    read = (query @ key.T / 2.0).softmax(-1) @ value
    scale, shift = attention.out(read.T.view(1, 4, 2, 3)).chunk(2, 1)
    torch.testing.assert_close(attention(planes, WORDS), planes * (1 + scale) + shift)


def test_blocks_see_seven_pixels_and_their_context_all_of_them() -> None:
    for extractor, around in (("multi-level", True), ("dilated", False)):
        block = MultiLevelBlock(4, extractor)  # type: ignore[arg-type]
        planes = torch.randn(1, 4, 15, 15, requires_grad=True)
        block(planes)[0, :, 7, 7].sum().backward()
        assert planes.grad is not None
        seen = planes.grad.abs().sum((0, 1)) > 0
        assert seen[4:11:3, 4:11:3].all()
        outside = seen.clone()
        outside[4:11, 4:11] = False
        assert bool(outside.any()) == around
        assert (block.context is None) == (not around)


def test_other_words_need_no_second_look_at_the_pictures() -> None:
    network, pair = tiny(), pictures(19, 24)
    with torch.no_grad():
        wanted = [network(*pair, words) for words in (WORDS, -WORDS)]
        sources = network.encode(*pair)
        for extractor in (network.visible_extractor, network.infrared_extractor):
            extractor.register_forward_hook(lambda *_: pytest.fail("a picture was looked at again"))
        for words, picture in zip((WORDS, -WORDS), wanted, strict=True):
            torch.testing.assert_close(network.decode(sources, words), picture)


def test_what_follows_the_codebook_knows_only_codes() -> None:
    network = tiny(codebook={"size": 3, "width": 4})
    with torch.no_grad():
        details = network(*pictures(32, 40), WORDS, details=True)
        continuous = tiny(codebook=None)(*pictures(32, 40), WORDS, details=True)
    assert isinstance(details, FusionDetails) and isinstance(continuous, FusionDetails)
    assert details.discrete is not None
    values = details.discrete[0].flatten(1).T
    assert len(torch.unique((values * 1e4).round(), dim=0)) <= 3
    assert continuous.discrete is None and continuous.commitment is None


def test_the_losses_are_what_they_say() -> None:
    continuous = torch.randn(2, 4, 6, 6)
    assert lost_to_codes(torch.zeros_like(continuous), continuous) == pytest.approx(1.0, abs=1e-3)
    assert lost_to_codes(continuous + 7, continuous).max() == pytest.approx(0.0, abs=1e-9)
    infrared, visible = pictures(64, 64, batch=2)
    batch = {"infrared": infrared, "visible": visible, "infrared_target": infrared, "visible_target": visible}
    grey = infrared.expand(-1, 3, -1, -1)
    batch |= {"visible": grey, "visible_target": grey}
    perfect = FusionDetails(grey, infrared, grey, continuous, continuous, torch.zeros(2))
    terms = text_to_pixels_terms(perfect, batch, RECIPE.text_to_pixels_losses)
    assert {name: round(float(term), 4) for name, term in terms.items()} == dict.fromkeys(terms, 0.0)
    spoilt = perfect._replace(
        picture=grey.flip(-1), infrared=1 - infrared, discrete=-continuous, commitment=torch.ones(2)
    )
    worse = text_to_pixels_terms(spoilt, batch, RECIPE.text_to_pixels_losses)
    assert {name for name, term in worse.items() if term > 0.1} == set(terms) - {"colour"}


# Training


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    open_crops(RECIPE, folder, folder)
    return folder


def run(out: Path, cache: Path, **options: Any) -> Path:
    options = {"accelerator": "cpu", "workers": 0, "cache": cache, "text_encoder": StubEncoder(), **options}
    return train(RECIPE, cache, out, **options).checkpoint


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("run"), cache)


def test_an_interrupted_run_resumes_to_the_same_weights_and_codes(trained: Path, cache: Path, tmp_path: Path) -> None:
    run(tmp_path, cache, stop_after=1)
    resumed, straight = family_of(RECIPE).network(), family_of(RECIPE).network()
    load_average(run(tmp_path, cache), resumed)
    load_average(trained, straight)
    assert isinstance(straight, TextToPixels) and straight.quantiser is not None
    assert int(straight.quantiser.codebook.updates) == 2
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


def test_training_moves_all_weights_and_logs_the_codebook(trained: Path) -> None:
    torch.manual_seed(RECIPE.seed)
    before, after = family_of(RECIPE).network(), family_of(RECIPE).network()
    load_average(trained, after)
    still = {name for name, value in before.state_dict().items() if (value == after.state_dict()[name]).all()}
    assert still == set()
    curves = b"".join(path.read_bytes() for path in trained.parent.rglob("events.*"))
    for name in (b"codebook/usage", b"codebook/perplexity", b"loss/commitment", b"loss/quantised"):
        assert name in curves


def test_the_loss_of_a_batch_falls(cache: Path) -> None:
    family = family_of(RECIPE, StubEncoder())
    assert isinstance(family, TextToPixelsFamily)
    training = family.samples(open_crops(RECIPE, cache, cache), cache)
    batch = default_collate([training[number] for number in range(4)])
    torch.manual_seed(0)
    network = family.network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3)
    course = []
    for _ in range(12):
        loss = torch.stack(list(family.terms(network, network, batch, step=0).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.append(float(loss.detach()))
    assert course[-1] < 0.9 * course[0]
    picture, terms = family.fused(network, network, batch, step=2)
    assert picture.shape == batch["visible"].shape
    assert {"repair", "detail", "ssim", "gradient", "reconstruction", "quantised", "commitment"} <= set(terms)


def test_export_takes_any_size_and_any_number_of_tokens(trained: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = export_model(trained, tmp_path, name="tiny")
    assert (model.card.conditioning, model.card.conditioning_fields) == ("text/stub", ("tokens",))
    assert model.card.size_multiple == 8
    network = family_of(RECIPE).network().eval()
    load_average(trained, network)
    session = onnxruntime.InferenceSession(model.read(), providers=["CPUExecutionProvider"])
    for (height, width), tokens in (((41, 37), 1), ((16, 24), 3), ((9, 64), 7)):
        infrared, visible = pictures(height, width)
        text = torch.randn(1, tokens, 5, generator=torch.Generator().manual_seed(tokens))
        names = ("infrared", "visible", "conditioning")
        inputs = {name: value.numpy() for name, value in zip(names, (infrared, visible, text), strict=True)}
        with torch.no_grad():
            wanted = network(infrared, visible, text).clamp(0, 1)
        np.testing.assert_allclose(session.run(None, inputs)[0], wanted.numpy(), atol=1e-3)


def test_a_checkpoint_with_another_codebook_is_refused_in_one_line(trained: Path) -> None:
    def made(**changes: Any) -> nn.Module:
        shape = TINY.model_copy(update={"listening": "everywhere", "from_brighter": True, "patch": 2, **changes})
        return family_of(RECIPE.model_copy(update={"text_to_pixels": shape})).network()

    for changes, message in (
        ({"codebook": CodebookShape(size=32, width=6, groups=2)}, "groups: 2, size: 16, width: 6"),
        ({"codebook": None}, "does not fit the network of the recipe"),
        ({"width": 8}, "does not fit the network of the recipe"),
    ):
        with pytest.raises(ModelError) as error:
            load_average(trained, made(**changes))
        assert message in str(error.value)
        assert "\n" not in str(error.value)


def test_a_prompt_longer_than_the_context_is_cut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    features = TextFeatures(StubEncoder(), "tokens")
    with caplog.at_level(logging.WARNING):
        states, mask = features.with_mask(["very dark", "dark " * 90])
    assert states.shape == (2, 40, 5)
    assert mask.sum(1).tolist() == [2, 40]
    assert "reads 40 tokens of 'dark dark" in caplog.text
    assert "very dark" not in caplog.text
    encoder = EmbeddedEncoder()
    assert encoder.encode(["fog and rain " * 300])[1].shape == (1, encoder.context)


def test_the_command_trains_with_the_encoder_that_ships(cache: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from lexifuse.cli.train import train_app

    recipe = RECIPE.model_dump(mode="json", exclude_none=True)
    recipe["text"] |= {"encoder": "embedded", "width": 384, "prompts": 20}
    recipe |= {"validation": 1, "batch": 1}
    path, out = tmp_path / "tiny.yaml", tmp_path / "run"
    path.write_text(json.dumps(recipe))  # JSON is YAML
    out.mkdir()
    (out / "crops").symlink_to(cache)
    call = ["text-to-pixels", "--recipe", str(path), "--data", str(tmp_path), "-o", str(out), "--accelerator", "cpu"]
    result = CliRunner().invoke(train_app, [*call, "--workers", "0", "--stop-after", "1"])
    assert result.exit_code == 0, result.output
    assert "(1 steps)" in result.output
    refused = CliRunner().invoke(train_app, ["text-to-pixels", "--recipe", "text-if", "--data", str(tmp_path)])
    assert isinstance(refused.exception, UsageError)
    assert "use `lexifuse train text-if`" in str(refused.exception)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": None}, "needs a section 'text'"),
        ({"text": {"encoder": "stub", "width": 5, "features": "sentence"}}, "set text.features to tokens"),
        ({"text_to_pixels": {"codebook": {"width": 10, "groups": 4}}}, "width 10 is not a multiple of groups 4"),
        ({"text_to_pixels": {"extractor": "single"}}, "text_to_pixels.extractor: Input should be"),
        ({"text_to_pixels": {"depth": 3}}, "text_to_pixels.depth: Extra inputs"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(json.dumps({**RECIPE.model_dump(mode="json", exclude_none=True), **change}))
    with pytest.raises(UsageError) as error:
        load_recipe(path)
    assert message in str(error.value)
