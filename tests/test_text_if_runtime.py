"""Text-IF at run time: two graphs and a card, the user's own sentence, sessions that only decode again, fp16."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from torch import nn
from typer.testing import CliRunner

import lexifuse
from lexifuse import runtime
from lexifuse.cli import app
from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.errors import ModelError
from lexifuse.fuser import Fuser, Session
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language.encoder import sentence_state, token_states
from lexifuse.language.plain_words import NOTHING_ASKED, say
from lexifuse.models import Model, find_model
from lexifuse.pair import ImagePair
from lexifuse.runtime import ask_graph
from lexifuse.training.checkpoint import load_average, save_checkpoint
from lexifuse.training.export import export_model
from lexifuse.training.families import family_of
from lexifuse.training.recipe import DataSource, Recipe, TextConditioning, TextIFShape
from lexifuse.training.text_encoders import EmbeddedEncoder
from lexifuse.training.text_features import TextFeatures

SHAPE = TextIFShape(width=8, blocks=(1, 1, 0, 1), refinement=1, heads=(1, 2, 2, 2), text_width=16, patch=2)
RECIPE = Recipe(
    network="text-if",
    sources=(DataSource(name="synthetic", crops=8),),
    steps=1,
    text=TextConditioning(encoder="embedded", width=384, features="tokens"),
    text_if=SHAPE.model_copy(update={"from_brighter": True}),
)
DARK, NOISY = "the visible image is rather dark, sadly", "get rid of the grain in the thermal picture"


def checkpoint(folder: Path, recipe: Recipe) -> Path:
    """A network with random weights, under which words change the picture visibly."""
    torch.manual_seed(3)
    network = family_of(recipe).network()
    for name, weight in network.named_parameters():
        if "guidance" in name or name.startswith("output"):
            nn.init.normal_(weight, std=0.1)
    path = folder / "checkpoint.safetensors"
    optimiser = torch.optim.AdamW(network.parameters())
    save_checkpoint(path, network, nn.ModuleDict({"module": network}), optimiser, 1, recipe)
    return path


def pictures(height: int, width: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width), np.uint8), rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("run"), RECIPE)


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    return export_model(trained, trained.parent / "exported", name="tiny")


@pytest.fixture(scope="module")
def hearing(model: Model) -> Fuser:
    return lexifuse.load(model.folder)


def by_torch(trained: Path, infrared: NDArray[Any], visible: NDArray[Any], sentence: str) -> NDArray[np.float32]:
    """The picture (H, W, 3) as the network itself makes it, in 0..1."""
    family = family_of(RECIPE)
    network = family.network().eval()
    load_average(trained, network)
    text = TextFeatures(EmbeddedEncoder(), "tokens")([sentence])
    planes = torch.from_numpy(infrared / np.float32(255))[None, None], torch.from_numpy(visible / np.float32(255))
    with torch.no_grad():
        fused = network(planes[0], planes[1].permute(2, 0, 1)[None], text).clamp(0, 1)
    return fused[0].permute(1, 2, 0).numpy()


# The files


def test_a_model_is_one_folder_with_a_card_and_a_checksum_per_file(model: Model, tmp_path: Path) -> None:
    assert sorted(path.name for path in model.folder.iterdir()) == [
        "card.json",
        "tiny.decode.onnx",
        "tiny.encode.onnx",
    ]
    assert (model.card.conditioning, model.card.conditioning_fields) == ("text/embedded", ("tokens",))
    assert model.card.serves == frozenset(DEGRADATIONS)
    assert model.size_bytes == sum(path.stat().st_size for path in model.folder.glob("*.onnx"))
    # No weight lies in both files.
    assert model.size_bytes < 4 * model.card.parameters + 800_000
    for name in ("tiny.decode.onnx", "tiny.encode.onnx"):
        copy = Path(shutil.copytree(model.folder, tmp_path / name))
        content = bytearray((copy / name).read_bytes())
        content[2000] ^= 1
        (copy / name).write_bytes(content)
        with pytest.raises(ModelError, match=f"{name} is damaged or was changed"):
            lexifuse.load(copy)


def test_the_files_alone_take_odd_sizes_and_agree_with_torch(model: Model, trained: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    infrared, visible = pictures(479, 641)
    given = {
        "infrared": (infrared / np.float32(255))[None, None],
        "visible": (visible / np.float32(255)).transpose(2, 0, 1)[None],
        "conditioning": token_states(DARK)[None],
    }
    for content in model.graphs():
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        given |= ask_graph(session, given)
    assert given["fused"].shape == (1, 3, 479, 641)
    wanted = by_torch(trained, infrared, visible, DARK)
    np.testing.assert_allclose(given["fused"][0].transpose(1, 2, 0), wanted, atol=1e-3)


@settings(max_examples=5, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_output_has_the_size_of_the_input(hearing: Fuser, height: int, width: int) -> None:
    infrared, visible = pictures(height, width)
    fused = hearing.fuse(infrared, visible, DARK).image
    assert fused.shape == visible.shape and fused.dtype == visible.dtype
    assert hearing.fuse(infrared, visible[..., 0]).image.shape == (height, width)


def test_the_paper_s_output_that_stands_alone_exports_too(tmp_path: Path) -> None:
    alone = RECIPE.model_copy(update={"text_if": SHAPE.model_copy(update={"patch": 1, "guided": (), "width": 4})})
    deaf = lexifuse.load(export_model(checkpoint(tmp_path, alone), tmp_path / "deaf").folder)
    infrared, visible = pictures(41, 37)
    fused = deaf.fuse(infrared, visible).image
    assert fused.shape == visible.shape
    # A network without guidance has no input for words: it still runs, and changes nothing under them.
    np.testing.assert_array_equal(deaf.fuse(infrared, visible, DARK).image, fused)


def test_half_precision_halves_the_files_and_hardly_changes_the_picture(
    model: Model, trained: Path, hearing: Fuser, tmp_path: Path, day: Scene
) -> None:
    result = CliRunner().invoke(app, ["export", str(trained), "-o", str(tmp_path / "half"), "--fp16", "--name", "tiny"])
    assert result.exit_code == 0, result.output
    half = find_model(tmp_path / "half")
    assert half.card.training["weights"] == "float16"
    assert half.size_bytes < 2 * model.card.parameters + 100_000
    rounded = lexifuse.load(half.folder).fuse(day.infrared / np.float32(255), day.visible / np.float32(255), DARK)
    exact = hearing.fuse(day.infrared / np.float32(255), day.visible / np.float32(255), DARK)
    difference = np.abs(rounded.image - exact.image).max()
    assert 0 < difference < 0.5 / 255


# The words


@pytest.fixture(scope="module")
def dusk(day: Scene) -> ImagePair:
    """A pair of which both sentences are true: what is plainly not there, a network is not told."""
    return ImagePair(*degrade_pair(day.infrared, day.visible, {"visible.low_light": 0.8, "infrared.noise": 0.8}))


def test_the_encoder_without_torch_is_the_one_that_was_trained_with() -> None:
    for sentence in (
        NOTHING_ASKED,
        say({"visible.haze": 0.9, "infrared.low_contrast": 0.3}),
        "no rain, but some haze!",
    ):
        tokens = TextFeatures(EmbeddedEncoder(), "tokens")([sentence])[0].numpy()
        np.testing.assert_allclose(token_states(sentence), tokens, atol=1e-5)
        whole = TextFeatures(EmbeddedEncoder(), "sentence")([sentence])[0].numpy()
        np.testing.assert_allclose(sentence_state(sentence), whole, atol=1e-5)
    np.testing.assert_allclose(token_states("the nosiy picture"), token_states("the noisy picture"))
    assert token_states(" ".join(["dark"] * 700)).shape == (700 + 2 * 11, 384)
    assert token_states("").shape[1] == 384


def test_the_sentence_that_was_typed_is_what_the_network_hears(hearing: Fuser, trained: Path, dusk: ImagePair) -> None:
    result = hearing.fuse(dusk.infrared, dusk.visible, DARK)
    wanted = by_torch(trained, dusk.infrared, dusk.visible, DARK) * 255
    assert np.abs(result.image - wanted).max() <= 0.6
    plain_words = hearing.fuse(dusk.infrared, dusk.visible, result.instruction)
    assert np.abs(plain_words.image.astype(int) - result.image).max() > 2
    assert result.instruction.asked_for() == ("visible.low_light",)
    assert result.notes == plain_words.notes == ()
    assert result.reading is not None and result.reading.prompt == DARK


def test_what_the_pictures_plainly_do_not_show_is_not_told(hearing: Fuser, dusk: ImagePair, day: Scene) -> None:
    told = hearing.fuse(day.infrared, day.visible, DARK)
    np.testing.assert_array_equal(told.image, hearing.fuse(day.infrared, day.visible).image)
    assert "the pictures do not show it" in " ".join(told.notes)
    both = hearing.fuse(dusk.infrared, dusk.visible, f"{DARK}, and the visible picture is hazy")
    assert "model 'tiny' was told in plain words: the visible image is dark" in both.notes
    insisted = hearing.fuse(day.infrared, day.visible, DARK, insist=True)
    assert np.abs(insisted.image.astype(int) - told.image).max() > 2


def test_nothing_asked_is_the_plain_sentence(hearing: Fuser, trained: Path, day: Scene) -> None:
    plain = hearing.fuse(day.infrared, day.visible)
    wanted = by_torch(trained, day.infrared, day.visible, NOTHING_ASKED) * 255
    assert np.abs(plain.image - wanted).max() <= 0.6
    for words in ("", "purple monkeys like bananas", "das Bild ist dunkel", Instruction()):
        result = hearing.fuse(day.infrared, day.visible, words)
        np.testing.assert_array_equal(result.image, plain.image)
        assert ("the words changed nothing" in " ".join(result.notes)) == bool(words and isinstance(words, str))


def test_sliders_speak_plain_words_and_what_is_not_served_is_said(hearing: Fuser, day: Scene, dusk: ImagePair) -> None:
    severities = {"visible.haze": 0.9, "infrared.noise": 0.3}
    asked = Instruction().with_values({**severities, "balance": 0.5, "keep_colour": True})
    result = hearing.fuse(day.infrared, day.visible, asked)
    spoken = hearing.fuse(day.infrared, day.visible, say(severities), insist=True)
    np.testing.assert_array_equal(result.image, spoken.image)
    cannot = "model 'tiny' cannot do this and left it out: "
    assert result.notes == (f"{cannot}balance", f"{cannot}keep_colour")
    words = hearing.fuse(dusk.infrared, dusk.visible, f"{DARK}; make people stand out")
    assert "model 'tiny' was told in plain words: the visible image is dark" in words.notes


def test_the_command_runs_it_and_sliders_override_words(model: Model, tmp_path: Path, dusk: ImagePair) -> None:
    out, *pair_files = (tmp_path / name for name in ("fused.png", "ir.png", "visible.png"))
    for path, picture in zip(pair_files, (dusk.infrared, dusk.visible), strict=True):
        lexifuse.write_image(path, picture)
    call = ["fuse", *map(str, pair_files), DARK, "-o", str(out), "--model", str(model.folder), "--json"]
    plain_words = "model 'tiny' was told in plain words: the visible image is dark, the visible image is very hazy"
    for more, notes in (([], []), (["--set", "visible.haze=0.9"], [plain_words])):
        result = CliRunner().invoke(app, [*call, *more])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout.splitlines()[-1])["notes"] == notes


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            "clip/ViT-B-32",
            r"pip install 'lexifuse\[clip\]', get the weights of CLIP ViT-B-32 .*text_encoder=.*text-if.md",
        ),
        ("minilm", r"pip install 'lexifuse\[train\]', get all-MiniLM-L6-v2 "),
        ("parrot", "no text encoder 'parrot'"),
    ],
)
def test_encoders_that_do_not_ship_are_asked_for_in_one_line(
    model: Model, tmp_path: Path, encoder: str, message: str, dusk: ImagePair
) -> None:
    copy = Path(shutil.copytree(model.folder, tmp_path / "mine"))
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps({**card, "conditioning": f"text/{encoder}"}))
    with pytest.raises(ModelError, match=message) as error:
        lexifuse.load(copy)
    assert "\n" not in str(error.value)
    heard: list[str] = []
    given = lexifuse.load(copy, text_encoder=lambda sentence: heard.append(sentence) or token_states(sentence))
    for words in (DARK, NOISY, DARK):
        given.fuse(dusk.infrared, dusk.visible, words)
    assert heard == [DARK, NOISY]  # each sentence is encoded once


# Sessions


def test_other_words_only_decode_again(
    hearing: Fuser, fuser: Fuser, day: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    original = runtime.Network.encode
    monkeypatch.setattr(
        runtime.Network, "encode", lambda self, *pair: encoded.append(self.card.name) or original(self, *pair)
    )
    for one in (hearing, fuser):  # the compact network does not work in halves: a session is right all the same
        session = one.session(day.infrared, day.visible)
        results = {words: session.fuse(words) for words in (None, DARK, NOISY, "auto")}
        assert encoded.count(one.model.name) == 1
        for words, result in results.items():
            np.testing.assert_array_equal(result.image, one.fuse(day.infrared, day.visible, words).image)
        assert results["auto"].seen is session.fuse(DARK, automatic=True).seen


def test_a_picture_too_large_to_run_whole_is_tiled_in_a_session_too(
    hearing: Fuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ImagePair(*pictures(96, 130))
    monkeypatch.setattr(runtime, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(runtime.Network, "encode", lambda *_: pytest.fail("a large picture was kept"))
    wanted = hearing.network.run(pair.infrared, pair.visible, token_states(DARK))
    np.testing.assert_array_equal(Session(hearing, pair).fuse(DARK, insist=True).image, wanted)
