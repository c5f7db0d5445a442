"""Text encoders: one interface, padding that changes nothing, MiniLM and CLIP loaded from disk."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch
from safetensors.torch import save_file

from lexifuse.errors import ModelError
from lexifuse.training.text_encoders import (
    BertEncoder,
    ClipEncoder,
    EmbeddedEncoder,
    TextEncoder,
    pad,
)

PROMPTS = ["the visible image is dark", "no haze", "make the cyclists stand out, please, and keep the colours"]
SENTENCE = "the visible image is dark no haze make cyclists stand out please and keep colours ,"
WORDS = SENTENCE.split()


def assert_keeps_the_interface(encoder: TextEncoder) -> None:
    states, mask = encoder.encode(PROMPTS)
    assert states.shape == (len(PROMPTS), mask.shape[1], encoder.width)
    assert mask.dtype == torch.bool and mask[:, 0].all()
    lengths = mask.sum(-1).tolist()
    assert lengths[1] < lengths[0] < lengths[2]
    for prompt, row, length in zip(PROMPTS, states, lengths, strict=True):
        alone, alone_mask = encoder.encode([prompt])
        assert int(alone_mask.sum()) == length
        torch.testing.assert_close(row[:length], alone[0, :length], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(states[0, :3], states[2, :3])


@pytest.fixture(scope="module")
def minilm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MiniLM with 16 numbers per token and two layers, under the names that its publisher uses."""
    folder = tmp_path_factory.mktemp("minilm")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    width, hidden, layers = 16, 32, 2
    config = {
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_attention_heads": 4,
        "num_hidden_layers": layers,
        "vocab_size": len(vocabulary),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    weights = {
        "embeddings.word_embeddings.weight": random(len(vocabulary), width),
        "embeddings.position_embeddings.weight": random(512, width),
        "embeddings.token_type_embeddings.weight": random(2, width),
        "embeddings.LayerNorm.weight": torch.ones(width),
        "embeddings.LayerNorm.bias": torch.zeros(width),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            weights |= {f"{name}.{part}.weight": random(width, width), f"{name}.{part}.bias": random(width)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights |= {f"{name}.{part}.weight": torch.ones(width), f"{name}.{part}.bias": torch.zeros(width)}
        weights |= {f"{name}.intermediate.dense.weight": random(hidden, width)}
        weights |= {f"{name}.intermediate.dense.bias": random(hidden)}
        weights |= {f"{name}.output.dense.weight": random(width, hidden), f"{name}.output.dense.bias": random(width)}
    save_file(weights, folder / "model.safetensors")
    return folder


def test_minilm_from_a_folder_keeps_the_interface(minilm_folder: Path) -> None:
    encoder = BertEncoder.from_folder(minilm_folder).eval()
    assert (encoder.id, encoder.width) == ("minilm", 16)
    assert_keeps_the_interface(encoder)


def test_minilm_with_fewer_layers_and_words_gives_other_states_but_the_same_for_kept_words(minilm_folder: Path) -> None:
    whole = BertEncoder.from_folder(minilm_folder, layers=1)
    pruned = BertEncoder.from_folder(minilm_folder, layers=1, keep=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "no", "haze"])
    torch.testing.assert_close(whole.encode(["no haze"])[0], pruned.encode(["no haze"])[0])
    assert len(pruned.embeddings.weight) == 6


def test_a_folder_that_is_not_minilm_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a MiniLM folder"):
        BertEncoder.from_folder(tmp_path)


def test_the_embedded_encoder_keeps_the_interface() -> None:
    encoder = EmbeddedEncoder()
    assert encoder.id == "embedded"
    assert_keeps_the_interface(encoder)


class _InterpolationMode(Enum):
    """Default arguments of open_clip's picture functions."""

    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    NEAREST = "nearest"


def _torchvision_stand_in(patch: pytest.MonkeyPatch) -> None:
    """The names that open_clip imports from torchvision for pictures, which nobody calls when only text is encoded.

    torchvision has no build for the CPU torch that these tests run on, so open_clip is installed without it.
    """
    names = ("", ".ops", ".ops.misc", ".transforms", ".transforms.functional")
    modules = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in names}
    transforms = "CenterCrop ColorJitter Compose Grayscale Normalize RandomResizedCrop Resize ToTensor"
    contents = {name: type(name, (), {}) for name in transforms.split()}
    vars(modules["torchvision.transforms"]).update(contents, InterpolationMode=_InterpolationMode)
    vars(modules["torchvision.ops.misc"])["FrozenBatchNorm2d"] = type("FrozenBatchNorm2d", (), {})
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
        patch.setitem(sys.modules, name, module)


@pytest.fixture(scope="module")
def open_clip() -> Iterator[Any]:
    """open_clip, which the test command of the README installs."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("torchvision") is None:
            _torchvision_stand_in(patch)
        yield pytest.importorskip("open_clip", exc_type=ImportError)


@pytest.fixture(scope="module")
def clip_folder(open_clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised CLIP of 16 numbers per token, with a byte-pair vocabulary of its own."""
    folder = tmp_path_factory.mktemp("tiny-clip")
    merges = ["#version: 0.2", "t h", "th e</w>", "i s</w>", "a r", "n o</w>", ""]
    with gzip.open(folder / "merges.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(merges))
    vocabulary = open_clip.tokenizer.SimpleTokenizer(str(folder / "merges.txt.gz")).vocab_size
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": vocabulary, "width": 16, "heads": 2, "layers": 2},
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    return folder


def test_clip_from_a_folder_keeps_the_interface(clip_folder: Path) -> None:
    encoder = ClipEncoder.from_path(clip_folder)
    assert encoder.id == f"clip/{clip_folder.name}"
    assert not any(value.requires_grad for value in encoder.parameters())
    assert_keeps_the_interface(encoder)


def test_clip_states_are_those_that_clip_pools(clip_folder: Path) -> None:
    encoder = ClipEncoder.from_path(clip_folder)
    states, mask = encoder.encode(["no haze"])
    tokens = encoder.tokenizer(["no haze"])
    expected = encoder.model.encode_text(tokens)
    pooled = states[0, int(mask.sum()) - 1] @ encoder.model.text_projection
    torch.testing.assert_close(pooled, expected[0], rtol=1e-4, atol=1e-4)


def test_a_reader_trains_on_clip(clip_folder: Path, tmp_path: Path) -> None:
    import typer
    from typer.testing import CliRunner

    from lexifuse.cli.train_language import train_language

    app = typer.Typer()
    app.command()(train_language)
    call = ["--text-encoder", "clip", "--weights", str(clip_folder), "--examples", "40", "-o", str(tmp_path)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["text_encoder"] == f"clip/{clip_folder.name}"
    assert figures["test"]["all"]["prompts"] > 300
    assert (tmp_path / "reader.safetensors").is_file()


def test_clip_weights_that_are_not_there_are_named_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no CLIP weights"):
        ClipEncoder.from_path(tmp_path / "missing.safetensors")


def test_padding_is_the_shape_that_was_asked_for() -> None:
    ids, mask = pad([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
