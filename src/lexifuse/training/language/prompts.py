"""The hand-written prompts: kept as data with labels, by style, split into validation and test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from lexifuse.instruction import Instruction

STYLES = (
    "sentence",
    "terse",
    "natural",
    "colloquial",
    "multiple",
    "negation",
    "modality",
    "severity",
    "typos",
    "wishes",
    "negated_wishes",
    "nonsense",
)
"""Ways of writing, in the order of the tables."""


@dataclass(frozen=True, slots=True)
class LabelledPrompt:
    """A hand-written prompt and what it asks for.

    Attributes:
        style: one of :data:`STYLES`.
        prompt: the text.
        instruction: the label.
        meaningful: False for nonsense and other languages.
    """

    style: str
    prompt: str
    instruction: Instruction
    meaningful: bool


def hand_written(split: str) -> list[LabelledPrompt]:
    """The prompts of a split.

    Args:
        split: ``validation``, which may choose between models, ``test``, which only measures, or ``check``, which was
            written later and whose errors nobody has looked at.
    """
    lines = resources.files("lexifuse.training.language").joinpath("data", f"{split}.jsonl").read_text("utf-8")
    records = [json.loads(line) for line in lines.splitlines()]
    return [
        LabelledPrompt(
            record["style"],
            record["prompt"],
            Instruction.from_dict(record["instruction"]),
            not record.get("meaningless", False),
        )
        for record in records
    ]
