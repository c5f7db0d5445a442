"""The network's numbers to an instruction, with how sure each field is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS, Instruction
from lexifuse.language.fields import BALANCES, SEVERITIES, WISHES

CONFIDENT = 0.8
"""A field that is less sure than this, 0.5..1, is called unsure."""

_STEP = 0.05
"""Severities and balances are rounded to multiples of this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network makes of a prompt.

    Attributes:
        instruction: all fields that are more likely asked for than not.
        certainty: per field (a degradation, ``balance``, a wish, or ``highlight: <object>``) how sure the yes or no
            is, 0.5..1.
        meaningful: the prompt asks for something, or for a plain fusion.
    """

    instruction: Instruction
    certainty: Mapping[str, float]
    meaningful: bool

    @property
    def unsure(self) -> tuple[str, ...]:
        """Fields below :data:`CONFIDENT`."""
        return tuple(name for name, sure in self.certainty.items() if sure < CONFIDENT)

    @property
    def confidence(self) -> float:
        """How sure the least sure field is, 0.5..1."""
        return min(self.certainty.values())


def decode(windows: Sequence[Mapping[str, NDArray[np.float32]]], temperature: float = 1.0) -> Answer:
    """Read the network's logits.

    Args:
        windows: one mapping of output names to logits per window of the prompt; a field follows the window that speaks
            loudest of it.
        temperature: logits are divided by it, so that "80 % sure" is right in 80 % of the cases.

    Returns:
        The instruction and how sure each field of it is.
    """
    values: dict[str, Any] = {}
    certainty: dict[str, float] = {}
    degradations = np.stack([_softmax(window["degradations"] / temperature) for window in windows])
    for index, name in enumerate(DEGRADATIONS):
        chances = degradations[degradations[:, index, 0].argmin(), index]
        asked = 1.0 - float(chances[0])
        certainty[name] = max(asked, 1.0 - asked)
        if asked > 0.5:
            values[name] = _rounded(float(chances[1:] @ np.array(SEVERITIES[1:])) / asked)
    _decode_balance(np.stack([_softmax(window["balance"] / temperature) for window in windows]), values, certainty)
    wishes = _sigmoid(np.stack([window["wishes"] for window in windows]).max(0) / temperature)
    for name, chance in zip(WISHES, wishes.tolist(), strict=True):
        certainty[name] = max(chance, 1.0 - chance)
        values[name] = chance > 0.5
    objects = _sigmoid(np.stack([window["highlight"] for window in windows]).max(0) / temperature).tolist()
    values["highlight"] = [name for name, chance in zip(HIGHLIGHTS, objects, strict=True) if chance > 0.5]
    certainty.update({f"highlight: {name}": max(c, 1.0 - c) for name, c in zip(HIGHLIGHTS, objects, strict=True)})
    meaningful = max(float(window["meaning"][0]) for window in windows) > 0.0
    return Answer(Instruction().with_values(values), certainty, meaningful)


def _decode_balance(chances: NDArray[np.float64], values: dict[str, Any], certainty: dict[str, float]) -> None:
    none = BALANCES.index(0.0)
    loudest = chances[chances[:, none].argmin()]
    sides = {-1: float(loudest[:none].sum()), 1: float(loudest[none + 1 :].sum())}
    side = max(sides, key=lambda sign: sides[sign])
    certainty["balance"] = max(sides[side], 1.0 - sides[side])
    if sides[side] > 0.5:
        part = slice(0, none) if side < 0 else slice(none + 1, None)
        values["balance"] = _rounded(float(loudest[part] @ np.array(BALANCES[part])) / sides[side])


def _rounded(value: float) -> float:
    return round(round(value / _STEP) * _STEP, 2)


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))
