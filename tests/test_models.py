"""Finding models, and refusing the wrong ones with a clear error."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import lexifuse
from lexifuse.errors import ModelError
from lexifuse.models import find_model, shipped_models


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the shipped model's folder, to be damaged."""
    return Path(shutil.copytree(find_model("compact").folder, tmp_path / "mine"))


def test_shipped_models_are_whole_and_small() -> None:
    models = {model.name: model for model in shipped_models()}
    assert "compact" in models
    for model in models.values():
        assert model.read()
        assert model.card.licence
        assert model.card.training
        assert model.card.metrics
    assert sum(model.size_bytes for model in models.values()) <= 40e6
    compact = models["compact"]
    assert compact.size_bytes <= 5e6
    assert compact.card.parameters <= 1_000_000
    assert compact.card.gmac <= 5.0


def test_a_model_is_found_by_folder_and_by_file(copy: Path) -> None:
    assert find_model(copy).sha256 == find_model(copy / "compact.onnx").sha256
    assert lexifuse.load(copy).model.folder == copy


def test_a_file_that_the_card_does_not_describe_is_refused(copy: Path) -> None:
    (copy / "other.onnx").write_bytes((copy / "compact.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"other\.onnx is not the model that the card\.json .* give compact\.onnx, or"):
        find_model(copy / "other.onnx")
    (copy / "card.json").unlink()
    with pytest.raises(ModelError, match=r"mine is not a model: there is no card\.json in it"):
        find_model(copy / "compact.onnx")


def test_both_halves_of_a_model_name_it() -> None:
    halved = find_model("text-if-small")
    assert find_model(halved.folder / halved.card.encode_file) == find_model(halved.path) == halved


def test_a_changed_file_is_refused(copy: Path) -> None:
    content = bytearray((copy / "compact.onnx").read_bytes())
    content[1000] ^= 1
    (copy / "compact.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model 'compact': .* is damaged or was changed .*install or export it again"):
        lexifuse.load(copy)


def test_a_missing_file_is_refused(copy: Path) -> None:
    (copy / "compact.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot read .*No such file"):
        lexifuse.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": None}, "the card lacks 'sha256'"),
        ({"flavour": "lemon"}, "unknown field 'flavour'"),
        ({"conditioning": "mind-reading"}, "conditioned by mind-reading"),
        ({"conditioning": "text/parrot"}, "no text encoder 'parrot'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(copy: Path, change: dict[str, object], message: str) -> None:
    card = {**json.loads((copy / "card.json").read_text()), **change}
    (copy / "card.json").write_text(json.dumps({key: value for key, value in card.items() if value is not None}))
    with pytest.raises(ModelError, match=message):
        lexifuse.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditioning_fields": None}, "'conditioning_fields' must be a list of names, not null"),
        ({"conditioning_fields": "balance"}, "'conditioning_fields' must be a list of names"),
        ({"served_fields": [1]}, "'served_fields' must be a list of names"),
        ({"file": None}, "'file' must be text, not null"),
        ({"size_multiple": "8"}, "'size_multiple' must be a whole number"),
        ({"gmac": "many"}, "'gmac' must be a number"),
        ({"training": []}, "'training' must be an object"),
    ],
)
def test_a_card_of_wrong_kinds_is_told_in_one_line(copy: Path, change: dict[str, object], message: str) -> None:
    card = {**json.loads((copy / "card.json").read_text()), **change}
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=f"the card's {message}") as caught:
        find_model(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_card_that_is_none_is_refused(copy: Path, text: str) -> None:
    (copy / "card.json").write_text(text)
    with pytest.raises(ModelError, match="install or export the model again"):
        find_model(copy)


def test_a_model_made_for_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match="made for prompt reading, not for fusion"):
        lexifuse.load("language")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model 'compat': choose from compact, compact-fine, ") as error:
        find_model("compat")
    assert not {"automatic", "language", "detector"} & set(re.findall(r"\w+", str(error.value))), "they cannot fuse"
    with pytest.raises(ModelError, match="there is no model '~nobody-here/x' "):
        find_model("~nobody-here/x")
    with pytest.raises(ModelError, match=r"is not a model: there is no card\.json"):
        find_model(tmp_path)


def test_a_file_that_is_no_network_is_refused(copy: Path) -> None:
    import hashlib

    (copy / "compact.onnx").write_bytes(b"not a network")
    card = json.loads((copy / "card.json").read_text())
    card["sha256"] = hashlib.sha256(b"not a network").hexdigest()
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="model 'compact' cannot be run"):
        lexifuse.load(copy)
