"""What a network is told: fields of an instruction and facts of the pictures, or the features of a sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import ModelError
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language import read_prompt
from lexifuse.language.encoder import TextEncoder, open_text_encoder
from lexifuse.language.plain_words import NOTHING_ASKED, say
from lexifuse.models import Model
from lexifuse.pair import ImagePair
from lexifuse.statistics import STATISTICS

_REMEMBERED = 256
_WISHES = ("balance", "keep_colour", "keep_texture")


@dataclass(frozen=True, eq=False)
class Told:
    """What a network is told of one request.

    Attributes:
        conditioning: (C,) or (T, D) float32, as the model's card says.
        notes: what the user should know of it, each one phrase.
    """

    conditioning: NDArray[np.float32]
    notes: tuple[str, ...] = ()


class Conditioner(ABC):
    """Puts requests into what one kind of network hears.

    Attributes:
        hears_severities: whether the network hears numbers: of these the pixels may say how much, and what it makes of
            them is finished here (:mod:`lexifuse.colour`). A sentence is heard as it was typed.
    """

    hears_severities: ClassVar[bool] = False

    def __init__(self, model: Model) -> None:
        self.model = model

    @abstractmethod
    def tell(self, pair: ImagePair, asked: Instruction, prompt: str = "") -> Told:
        """Tell the network what is asked.

        Args:
            pair: what is fused.
            asked: what shall be carried out.
            prompt: the words behind it, where there are some.
        """

    def left_out(self, asked: Instruction) -> tuple[str, ...]:
        """What is asked for and the model does not serve, each as a note; ``highlight.py`` brings out objects."""
        serves = self.model.card.serves
        wanted = [*asked.asked_for(), *(name for name in _WISHES if asked.value(name))]
        missing = [name for name in wanted if name not in serves]
        return tuple(f"model '{self.model.name}' cannot do this and left it out: {name}" for name in missing)


class FieldConditioner(Conditioner):
    """For networks that hear an instruction: the card's fields, of the instruction and of the pictures, as (C,)."""

    hears_severities = True

    def tell(self, pair: ImagePair, asked: Instruction, prompt: str = "") -> Told:  # noqa: ARG002
        """The words themselves do not matter here: they were read into the instruction."""
        fields = self.model.card.conditioning_fields
        seen: dict[str, float] = {}
        if any(field.startswith("statistics.") for field in fields):
            values = pair.statistics.tolist()
            seen = {f"statistics.{name}": value for name, value in zip(STATISTICS, values, strict=True)}
        vector = np.array([seen[f] if f in seen else asked.value(f) for f in fields], np.float32)
        return Told(vector, self.left_out(asked))


class SentenceConditioner(Conditioner):
    """For networks that hear text: features of the user's own sentence, or of plain words for the instruction, (T, D).

    Args:
        model: whose card names the encoder and the kind of features.
        encoder: where the card names one that does not ship.
    """

    def __init__(self, model: Model, encoder: TextEncoder | None = None) -> None:
        super().__init__(model)
        if encoder is None:
            encoder = open_text_encoder(model.card.conditioning.partition("/")[2], model.card.conditioning_fields)
        self._encode = lru_cache(maxsize=_REMEMBERED)(encoder)

    def tell(self, pair: ImagePair, asked: Instruction, prompt: str = "") -> Told:  # noqa: ARG002
        """The sentence goes to the network as it is where it says just what is carried out, else in plain words."""
        notes, plain = self.left_out(asked), _plainly(asked)
        if plain == NOTHING_ASKED or not prompt.strip():
            return Told(self._encode(plain), notes)
        # Sliders and pixels may have had a say since the words were read; and these networks know damage alone.
        if not notes and not asked.highlight and _plainly(read_prompt(prompt).instruction) == plain:
            return Told(self._encode(prompt))
        return Told(self._encode(plain), (*notes, f"model '{self.model.name}' was told in plain words: {plain}"))


def _plainly(asked: Instruction) -> str:
    return say({name: asked.severity(name) for name in DEGRADATIONS})


def conditioner_of(model: Model, text_encoder: TextEncoder | None = None) -> Conditioner:
    """The conditioner that a model's card asks for.

    Raises:
        ModelError: the card asks for something unknown, or for a text encoder that does not ship.
    """
    kind, _, encoder = model.card.conditioning.partition("/")
    if kind == "instruction":
        return FieldConditioner(model)
    if kind != "text" or not encoder:
        raise ModelError(
            f"model '{model.name}' is conditioned by {model.card.conditioning}, which this version cannot make: "
            "use a model whose card says 'conditioning: instruction' or 'conditioning: text/embedded'"
        )
    return SentenceConditioner(model, text_encoder)
