"""The models at hand: found by name or path, described by a card, checked against their sha256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lexifuse.errors import ModelError
from lexifuse.files import atomic_file

CARD = "card.json"
DEFAULT_MODEL = "compact"

_SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, what made it, and what the runtime must know to run it.

    Attributes:
        name: as in ``--model NAME``.
        task: ``fusion``, or what else the model is made for.
        file: the ONNX file beside the card.
        sha256: of that file, hexadecimal.
        conditioning: ``instruction`` (a vector of instruction fields) or ``text/<encoder id>``.
        conditioning_fields: the fields of that vector, in order.
        size_multiple: height and width the network takes are multiples of this.
        overlap: pixels around a tile that can still change its inside by more than rounding.
        parameters: number of weights.
        gmac: 1e9 multiply-accumulates for one 640x480 pair.
        licence: of the weights.
        training: data, recipe, steps, machine: free-form.
        metrics: what was measured and how: free-form.
        encode_file: another ONNX file beside the card, the half of the network that sees the pictures and hears no
            words: ``file`` takes its answers instead of the pictures. Empty where there is no such half.
        encode_sha256: of that file.
        served_fields: what an instruction can ask of the model; empty: just the ``conditioning_fields``.
    """

    name: str
    task: str
    file: str
    sha256: str
    conditioning: str
    conditioning_fields: tuple[str, ...]
    size_multiple: int
    overlap: int
    parameters: int
    gmac: float
    licence: str
    training: dict[str, Any]
    metrics: dict[str, Any]
    encode_file: str = ""
    encode_sha256: str = ""
    served_fields: tuple[str, ...] = ()

    @property
    def serves(self) -> frozenset[str]:
        """The fields of an instruction that the model can do something for."""
        return frozenset(self.served_fields or self.conditioning_fields)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelCard:
        """Read the JSON form; raises :class:`ModelError` naming a missing, unknown or wrong field."""
        known = {item.name: item.default is MISSING for item in fields(cls)}
        if missing := sorted(name for name, needed in known.items() if needed and name not in data):
            raise ModelError(f"the card lacks '{missing[0]}': export the model again with `lexifuse export`")
        if strange := sorted(set(data) - set(known)):
            raise ModelError(f"the card has an unknown field '{strange[0]}': it was made by a newer lexifuse; update")
        for item in fields(cls):
            if item.name in data:
                _check_kind(item.name, data[item.name], str(item.type))
        lists = {name: tuple(data[name]) for name in ("conditioning_fields", "served_fields") if name in data}
        return cls(**{**data, **lists})


_KINDS: dict[str, tuple[Any, str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "dict[str, Any]": (dict, "an object"),
    "tuple[str, ...]": ((list, tuple), "a list of names"),
}


def _check_kind(name: str, value: Any, kind: str) -> None:
    types, words = _KINDS[kind]
    if not isinstance(value, types) or (kind == "tuple[str, ...]" and not all(isinstance(one, str) for one in value)):
        raise ModelError(
            f"the card's '{name}' must be {words}, not {json.dumps(value)[:40]}: "
            "export the model again with `lexifuse export`"
        )


@dataclass(frozen=True)
class Model:
    """A card and the folder it lies in."""

    card: ModelCard
    folder: Path

    @property
    def name(self) -> str:
        """The name on the card."""
        return self.card.name

    @property
    def sha256(self) -> str:
        """What identifies the model: the checksum of its file, or the checksum of both where it has two."""
        if not self.card.encode_file:
            return self.card.sha256
        return hashlib.sha256((self.card.encode_sha256 + self.card.sha256).encode()).hexdigest()

    @property
    def path(self) -> Path:
        """The ONNX file that answers with the fused picture."""
        return self.folder / self.card.file

    @property
    def size_bytes(self) -> int:
        """Size of the ONNX files."""
        return sum((self.folder / file).stat().st_size for file, _ in self._files)

    def read(self) -> bytes:
        """The bytes of the ONNX file that answers with the fused picture, checked against the card.

        Raises:
            ModelError: the file is missing, or is not the one that the card describes.
        """
        return self.graphs()[-1]

    def graphs(self) -> list[bytes]:
        """All ONNX files in the order in which they run, checked against the card; raises as :meth:`read` does.

        Each takes what it names of the pictures, the conditioning and the answers of the one before.
        """
        return [self._checked(self.folder / file, sha256) for file, sha256 in self._files]

    @property
    def _files(self) -> list[tuple[str, str]]:
        both = ((self.card.encode_file, self.card.encode_sha256), (self.card.file, self.card.sha256))
        return [(file, sha256) for file, sha256 in both if file]

    def _checked(self, path: Path, sha256: str) -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"model '{self.name}': cannot read {path} ({error.strerror}): install it again") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ModelError(
                f"model '{self.name}': {path} is damaged or was changed "
                f"(sha256 {found[:12]}…, the card says {sha256[:12]}…): install or export it again"
            )
        return content


def shipped_models() -> list[Model]:
    """The models inside the package, by name."""
    return [_open(folder) for folder in sorted(_SHIPPED.iterdir()) if (folder / CARD).is_file()]


def find_model(name_or_path: str | Path = DEFAULT_MODEL) -> Model:
    """Find a model by name, by the folder of its card, or by its ONNX file.

    Raises:
        ModelError: there is none, its card cannot be read, or its card is that of another file.
    """
    shipped = {model.name: model for model in shipped_models()}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    path = _at_home(Path(name_or_path))
    if path.is_file() and path.suffix == ".onnx":
        return _of_file(path)
    if (path / CARD).is_file():
        return _open(path)
    if path.exists():
        raise ModelError(_without_card(path))
    # Whoever wants another kind of model has a folder or a list of its own.
    names = ", ".join(name for name, model in shipped.items() if model.card.task == "fusion")
    raise ModelError(f"there is no model '{name_or_path}': choose from {names}, or give a model's folder")


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ModelError(f"there is no model '{path}' ({error}): give a model's folder") from error


def _of_file(path: Path) -> Model:
    """The model of an ONNX file, which the card beside it must describe."""
    if not (path.parent / CARD).is_file():
        raise ModelError(_without_card(path.parent))
    model = _open(path.parent)
    files = [name for name in (model.card.file, model.card.encode_file) if name]
    if path.name not in files:
        raise ModelError(
            f"{path} is not the model that the {CARD} beside it describes: give {' or '.join(files)}, or the folder"
        )
    return model


def _without_card(folder: Path) -> str:
    return f"{folder} is not a model: there is no {CARD} in it (`lexifuse export` writes one)"


def write_card(card: ModelCard, folder: Path) -> Model:
    """Write a card beside its ONNX file, whole or not at all; the model as it is found there."""
    with atomic_file(folder / CARD) as file:
        file.write((json.dumps(asdict(card), indent=1) + "\n").encode())
    return _open(folder)


def _open(folder: Path) -> Model:
    try:
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {folder / CARD} ({error}): install or export the model again") from error
    if not isinstance(data, dict):
        raise ModelError(f"{folder / CARD} is not a model card: install or export the model again")
    return Model(ModelCard.from_dict(data), folder)
