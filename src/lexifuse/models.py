"""The models at hand: found by name or path, described by a card, checked against their sha256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
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

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelCard:
        """Read the JSON form; raises :class:`ModelError` naming a missing or unknown field."""
        wanted = {item.name for item in fields(cls)}
        if missing := sorted(wanted - set(data)):
            raise ModelError(f"the card lacks '{missing[0]}': export the model again with `lexifuse export`")
        if strange := sorted(set(data) - wanted):
            raise ModelError(f"the card has an unknown field '{strange[0]}': it was made by a newer lexifuse; update")
        return cls(**{**data, "conditioning_fields": tuple(data["conditioning_fields"])})


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
        """The checksum on the card."""
        return self.card.sha256

    @property
    def path(self) -> Path:
        """The ONNX file."""
        return self.folder / self.card.file

    @property
    def size_bytes(self) -> int:
        """Size of the ONNX file."""
        return self.path.stat().st_size

    def read(self) -> bytes:
        """The ONNX file's bytes, checked against the card.

        Raises:
            ModelError: the file is missing, or is not the one that the card describes.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"model '{self.name}': cannot read {self.path} ({error.strerror}): install it again"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"model '{self.name}': {self.path} is damaged or was changed "
                f"(sha256 {found[:12]}…, the card says {self.sha256[:12]}…): install or export it again"
            )
        return content


def shipped_models() -> list[Model]:
    """The models inside the package, by name."""
    return [_open(folder) for folder in sorted(_SHIPPED.iterdir()) if (folder / CARD).is_file()]


def find_model(name_or_path: str | Path = DEFAULT_MODEL) -> Model:
    """Find a model by name, by the folder of its card, or by its ONNX file.

    Raises:
        ModelError: there is none, or its card cannot be read.
    """
    shipped = {model.name: model for model in shipped_models()}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.is_file() and path.suffix == ".onnx":
        path = path.parent
    if (path / CARD).is_file():
        return _open(path)
    if path.exists():
        raise ModelError(f"{path} is not a model: there is no {CARD} in it (`lexifuse export` writes one)")
    raise ModelError(f"there is no model '{name_or_path}': choose from {', '.join(shipped)}, or give a model's folder")


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
