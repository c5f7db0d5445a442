"""Text-IF, its training: features encoded once, exact resumption, an export that agrees, recipes that are checked."""

from __future__ import annotations

import builtins
import importlib.util
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import default_collate

from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.runtime import ask_graph
from lexifuse.training import samples
from lexifuse.training.checkpoint import load_average, load_checkpoint, save_checkpoint
from lexifuse.training.crops import open_crops
from lexifuse.training.export import export_model
from lexifuse.training.families import family_of
from lexifuse.training.recipe import (
    DataSource,
    LossWeights,
    Recipe,
    SampleMix,
    TextConditioning,
    TextIFShape,
    load_recipe,
)
from lexifuse.training.text_encoders import ClipEncoder, TextEncoder, Tokens, pad
from lexifuse.training.text_features import TextFeatures, hearing, mean_state, open_text_features
from lexifuse.training.trainer import learning_rate, train
from lexifuse.training.validation import validate

TINY = TextIFShape(width=4, blocks=(1, 0, 0, 1), refinement=1, heads=(1, 2, 2, 2), text_width=6)
RECIPE = Recipe(
    network="text-if",
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
    text_if=TINY,
)


class StubEncoder(TextEncoder):
    """Five numbers per word, made from its letters; counts what it is asked to encode."""

    def __init__(self) -> None:
        super().__init__()
        self.id, self.width = "stub", 5
        self.encoded: list[str] = []

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        self.encoded += prompts
        return Tokens(*pad([[sum(map(ord, word)) for word in prompt.split()] for prompt in prompts]))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.sin(ids[..., None] * torch.tensor([1.0, 0.7, 0.3, 0.11, 0.013])) + 3.0 * ~mask[..., None]


def pictures(height: int, width: int, seed: int = 0, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    infrared, visible = (torch.rand(batch, planes, height, width, generator=generator) for planes in (1, 3))
    return infrared, visible


# Text features


def test_each_prompt_is_encoded_once() -> None:
    encoder = StubEncoder()
    features = TextFeatures(encoder, "tokens")
    first = features(["very dark", "no haze at all", "very dark"])
    again = features(["no haze at all", "very dark"])
    assert sorted(encoder.encoded) == ["no haze at all", "very dark"]
    assert first.shape == (3, 4, 5)
    torch.testing.assert_close(first[0], again[1])
    # The shorter prompt is filled up with its own first token, not with padding.
    torch.testing.assert_close(first[0, 2:], first[0, :1].expand(2, -1))


def test_a_sentence_feature_is_the_mean_of_the_tokens_without_the_padding() -> None:
    encoder = StubEncoder()
    features = TextFeatures(encoder, "sentence")
    alone = features(["very dark"])
    together = features(["a much longer prompt about haze"])
    assert alone.shape == together.shape == (1, 1, 5)
    states, mask = encoder.encode(["very dark", "a much longer prompt about haze"])
    torch.testing.assert_close(mean_state(states, mask)[0], alone[0, 0])
    torch.testing.assert_close(states[0, :2].mean(0), alone[0, 0])


def test_clip_gives_its_own_text_feature() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_final = nn.LayerNorm(4)

        def encode_text(self, ids: Tensor) -> Tensor:
            return ids[:, :7].double()

    encoder = ClipEncoder(Tower(), lambda prompts: torch.arange(20).expand(len(prompts), -1), "clip/tower")
    features = TextFeatures(encoder, "sentence")
    assert features.width == 7
    torch.testing.assert_close(features(["dark"])[0, 0], torch.arange(7.0))


def test_a_recipe_gets_the_encoder_that_it_names() -> None:
    assert open_text_features("stub", "tokens", 5, StubEncoder()).id == "stub"
    with pytest.raises(UsageError, match="made for the text encoder 'embedded', not for 'stub'"):
        open_text_features("embedded", "tokens", 5, StubEncoder())
    with pytest.raises(UsageError, match="gives 5 numbers per feature, not 6"):
        open_text_features("stub", "tokens", 6, StubEncoder())
    with pytest.raises(UsageError, match="does not ship with lexifuse"):
        open_text_features("clip/ViT-B-32", "sentence", 512)
    other = load_recipe("text-if-small")
    heard = hearing(other, StubEncoder()).text
    assert heard is not None
    assert (heard.encoder, heard.width) == ("stub", 5)


# Training


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    open_crops(RECIPE, folder, folder)
    return folder


def run(out: Path, cache: Path, encoder: TextEncoder | None = None, **options: Any) -> Path:
    encoder = encoder or StubEncoder()
    result = train(RECIPE, cache, out, accelerator="cpu", workers=0, cache=cache, text_encoder=encoder, **options)
    assert set(result.validation) >= {"gain", *(f"gain {name}" for name in DEGRADATIONS)} or result.steps < RECIPE.steps
    return result.checkpoint


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("run"), cache)


def test_the_checkpoint_names_the_text_encoder_and_holds_none_of_it(trained: Path) -> None:
    network = family_of(RECIPE).network()
    with safe_open(trained, framework="pt") as file:
        names = {name.removeprefix("network.") for name in file.keys() if name.startswith("network.")}  # noqa: SIM118
        recipe = Recipe.model_validate_json(file.metadata()["recipe"])
    assert names == set(network.state_dict())
    assert recipe.text is not None and recipe.text.encoder == "stub"
    assert load_average(trained, network) == RECIPE


def test_an_interrupted_run_resumes_to_the_same_weights(trained: Path, cache: Path, tmp_path: Path) -> None:
    run(tmp_path, cache, stop_after=1)
    resumed, straight = family_of(RECIPE).network(), family_of(RECIPE).network()
    load_average(run(tmp_path, cache), resumed)
    load_average(trained, straight)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


def test_training_moves_the_weights(trained: Path) -> None:
    torch.manual_seed(RECIPE.seed)
    before, after = family_of(RECIPE).network(), family_of(RECIPE).network()
    load_average(trained, after)
    moved = {name for name, value in before.state_dict().items() if (value != after.state_dict()[name]).any()}
    assert moved == set(before.state_dict())


def test_the_loss_of_a_batch_falls(cache: Path) -> None:
    family = family_of(RECIPE, StubEncoder())
    training = family.samples(open_crops(RECIPE, cache, cache), cache)
    batch = default_collate([training[number] for number in range(4)])
    torch.manual_seed(0)
    network = family.network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    course = []
    for _ in range(20):
        loss = torch.stack(list(family.terms(network, network, batch, step=0).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.append(float(loss.detach()))
    assert course[-1] < 0.7 * course[0]


def test_samples_are_the_same_every_time_and_say_what_they_want(cache: Path) -> None:
    store = open_crops(RECIPE, cache, cache)
    family = family_of(RECIPE, StubEncoder())
    first, second = (family.samples(store, cache) for _ in range(2))
    prompts = set()
    for number in range(12):
        one, other = first[number], second[number]
        assert one["prompt"] == other["prompt"]
        torch.testing.assert_close(one["visible"], other["visible"], rtol=0, atol=0)
        prompts.add(one["prompt"])
    assert len(prompts) > 4


def test_validation_is_held_out_fixed_and_on_clean_targets(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_crops(RECIPE, cache, cache)
    family = family_of(RECIPE, StubEncoder())
    drawn: list[int] = []
    original = samples.random_view
    monkeypatch.setattr(samples, "random_view", lambda *call: drawn.append(call[1]) or original(*call))
    training = family.samples(store, cache)
    for number in range(30):
        assert training[number]
    assert min(drawn) >= RECIPE.validation

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))
            self.seen: list[Tensor] = []

        def forward(self, infrared: Tensor, visible: Tensor, text: Tensor) -> Tensor:
            assert text.shape[::2] == (RECIPE.validation, 5)
            self.seen.append(visible)
            return torch.maximum(infrared, visible)

    network = Recorder()
    values = validate(family.by_instruction(network), store, RECIPE)
    assert values == validate(family.by_instruction(network), store, RECIPE)
    # What everything is measured against is the network's answer to the clean pair; who ignores words gains nothing.
    clean = torch.from_numpy(store.visible[: RECIPE.validation, :48, :48] / np.float32(255)).permute(0, 3, 1, 2)
    torch.testing.assert_close(network.seen[0], clean)
    assert values["gain"] == 0.0


def test_export_takes_any_size_and_any_number_of_tokens(trained: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = export_model(trained, tmp_path, name="tiny")
    assert (model.card.conditioning, model.card.conditioning_fields) == ("text/stub", ("tokens",))
    assert model.card.size_multiple == 8
    network = family_of(RECIPE).network().eval()
    load_average(trained, network)
    halves = [onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]) for content in model.graphs()]
    for (height, width), tokens in (((41, 37), 1), ((16, 24), 3), ((9, 64), 7)):
        infrared, visible = pictures(height, width)
        text = torch.randn(1, tokens, 5, generator=torch.Generator().manual_seed(tokens))
        names = ("infrared", "visible", "conditioning")
        inputs = {name: value.numpy() for name, value in zip(names, (infrared, visible, text), strict=True)}
        with torch.no_grad():
            wanted = network(infrared, visible, text).clamp(0, 1)
        for half in halves:
            inputs |= ask_graph(half, inputs)
        np.testing.assert_allclose(inputs["fused"], wanted.numpy(), atol=1e-4)


def test_the_command_trains_with_the_encoder_that_ships(cache: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from lexifuse.cli.train import train_app

    recipe = RECIPE.model_dump(mode="json", exclude_none=True)
    recipe["text"] |= {"encoder": "embedded", "width": 384, "prompts": 20}
    recipe |= {"validation": 1, "batch": 1, "sources": [{"name": "synthetic", "crops": 8}]}
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(recipe))  # JSON is YAML
    out = tmp_path / "run"
    (out).mkdir()
    (out / "crops").symlink_to(cache)
    call = ["text-if", "--recipe", str(path), "--data", str(tmp_path), "-o", str(out), "--accelerator", "cpu"]
    result = CliRunner().invoke(train_app, [*call, "--workers", "0", "--stop-after", "1"])
    assert result.exit_code == 0, result.output
    assert "(1 steps)" in result.output
    for wrong, message in (("compact", "use `lexifuse train compact`"), ("text-if", "needs --weights PATH")):
        refused = CliRunner().invoke(train_app, ["text-if", "--recipe", wrong, "--data", str(tmp_path)])
        assert isinstance(refused.exception, UsageError)
        assert message in str(refused.exception)


def test_the_published_schedule_warms_up_and_falls_to_nothing() -> None:
    recipe = load_recipe("text-if")
    rates = [learning_rate(recipe, step) for step in (0, 999, 1000, 50_500, 100_000)]
    assert rates[0] < rates[1] == pytest.approx(1e-4) == rates[2]
    assert rates[3] == pytest.approx(1e-4 * 0.5**0.9)
    assert rates[4] == 0.0


def test_checkpoints_from_before_a_field_was_added_go_on(tmp_path: Path) -> None:
    recipe = Recipe(sources=RECIPE.sources, steps=4)
    network, average = nn.Linear(2, 2), nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, network, average, optimiser, 3, recipe)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    stored = json.loads(metadata["recipe"])
    for name in ("schedule", "text", "text_if", "ems", "degradation_weights"):
        del stored[name]
    save_file(tensors, path, metadata={**metadata, "recipe": json.dumps(stored)})
    assert load_checkpoint(path, network, average, optimiser, recipe) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": None}, "needs a section 'text'"),
        ({"degradation_weights": {"visible.fog": {}}}, "unknown degradation 'visible.fog'"),
        ({"network": "text-of"}, "network: Input should be"),
        ({"text_if": {"depth": 3}}, "text_if.depth: Extra inputs"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(json.dumps({**RECIPE.model_dump(mode="json", exclude_none=True), **change}))
    with pytest.raises(UsageError) as error:
        load_recipe(path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["families", "prompt_book", "prompted_samples", "text_features", "degradation_losses", "networks.text_if"],
)
def test_nothing_is_opened_at_import(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec(f"lexifuse.training.{name}")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    def refuse(*call: Any, **_: Any) -> None:
        pytest.fail(f"{name} opened {call[0]} when it was imported")

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(io, "open", refuse)
    spec.loader.exec_module(module)
