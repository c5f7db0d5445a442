"""Pixels to an instruction: what seems damaged in a pair, and how badly. For when nobody typed anything.

A small network reads the numbers of :mod:`lexifuse.damage_features`; what it costs does not depend on the size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lexifuse.damage_features import damage_features
from lexifuse.graphs import open_graph
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS, Instruction
from lexifuse.language import Reading
from lexifuse.models import Model, find_model
from lexifuse.pair import ImagePair

AUTOMATIC = "auto"
"""The request that asks for the automatic instruction where words could stand."""

TASK = "picture reading"
"""What the card of a network that reads pictures is made for."""

_THE_PICTURE = "(?:it|this|them|everything|(?:the |this |these |my )?(?:image|picture|photo|result|fusion)s?)"
_FOR_THE_BEST = re.compile(
    rf"(?:please |just )*(?:{AUTOMATIC}(?:matic(?:ally)?)?"
    rf"|(?:fix|enhance|improve|restore|repair|optimi[sz]e|clean)(?: up)?(?: {_THE_PICTURE})?(?: up)?"
    rf"|(?:make {_THE_PICTURE} (?:look )?)?(?:better|nicer|clearer|cleaner)"
    rf"|make {_THE_PICTURE} (?:look )?(?:good|nice|great|clear|clean|perfect))(?: please)?[.!]*"
)

SHIPPED = Path(__file__).parent / "weights" / "automatic"


def is_automatic(request: object) -> bool:
    """Whether a request is the one word :data:`AUTOMATIC`, or asks for nothing but the best, such as "fix it"."""
    return isinstance(request, str) and _FOR_THE_BEST.fullmatch(" ".join(request.lower().split())) is not None


@dataclass(frozen=True)
class PixelReading:
    """What a pair of pictures was taken for.

    Attributes:
        instruction: asks to repair what seems damaged.
        probability: degradation to how likely it is there, 0..1.
        severity: degradation to how bad it would be if it were there, 0..1.
    """

    instruction: Instruction
    probability: dict[str, float]
    severity: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The instruction's JSON form, and the probabilities."""
        return {
            **self.instruction.to_dict(),
            "in_words": str(self.instruction),
            "probability": {name: round(value, 3) for name, value in self.probability.items()},
        }


class PixelReader:
    """A loaded network that reads pictures.

    Args:
        model: from :func:`lexifuse.models.find_model`.

    Raises:
        ModelError: a file is missing or damaged.
    """

    def __init__(self, model: Model) -> None:
        self._session = open_graph(model.read(), f"model '{model.name}'", threads=1)
        thresholds = model.card.training["thresholds"]
        self._thresholds = {name: float(thresholds[name]) for name in DEGRADATIONS}

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> PixelReader:
        """The network inside the package, loaded once."""
        return cls(find_model(SHIPPED))

    def read(self, pair: ImagePair) -> PixelReading:
        """Estimate the nine severities of a pair of any size."""
        features = damage_features(pair.infrared, pair.visible, pair.statistics)[None]
        outputs: Any = self._session.run(["probability", "severity"], {"features": features})
        probability, severity = (dict(zip(DEGRADATIONS, found[0].tolist(), strict=True)) for found in outputs)
        asked = {
            name: round(max(severity[name], ASKED_FOR), 2)
            for name in DEGRADATIONS
            if probability[name] >= self._thresholds[name]
        }
        return PixelReading(Instruction().with_values(asked), probability, severity)


def read_pixels(pair: ImagePair) -> PixelReading:
    """What seems damaged in a pair, by the network inside the package.

    Args:
        pair: from :func:`lexifuse.read_pair`.

    Raises:
        ModelError: the shipped network is damaged.
    """
    return PixelReader.shipped().read(pair)


def override(seen: Instruction, asked: Instruction, spoken_of: Iterable[str]) -> Instruction:
    """What the pixels say, with every field that was spoken of as it was asked; wishes are asked for, never seen.

    Args:
        seen: what the pixels say.
        asked: what was asked for.
        spoken_of: degradations that were spoken of, whether to be repaired or to be left alone.
    """
    spoken = set(spoken_of)
    return asked.with_values({name: seen.severity(name) for name in DEGRADATIONS if name not in spoken})


def spoken_of(reading: Reading) -> tuple[str, ...]:
    """The degradations that words speak of: "no haze" does, and keeps it at zero whatever the pixels say."""
    return (*reading.instruction.asked_for(), *reading.denied, *reading.by_hand)
