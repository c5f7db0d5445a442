"""How well prompts are understood: exact match, wishes, severities and calibration, by style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language.decoding import decode
from lexifuse.language.reading import Reading
from lexifuse.language.spelling import Speller
from lexifuse.language.words import clean, is_foreign, split_words
from lexifuse.training.language.network import ReaderNetwork
from lexifuse.training.language.prompts import STYLES, LabelledPrompt

_TOLERANCE = 0.2
"""A severity this near to its label counts as right."""


def degradations_match(asked: Instruction, read: Instruction) -> bool:
    """Whether the same of the nine degradations are asked for."""
    return asked.asked_for() == read.asked_for()


def wishes_match(asked: Instruction, read: Instruction) -> bool:
    """Whether the balance leans the same way and colour, texture and objects are the same."""

    def wishes(instruction: Instruction) -> tuple[Any, ...]:
        side = (instruction.balance > 0) - (instruction.balance < 0)
        return side, instruction.keep_colour, instruction.keep_texture, instruction.highlight

    return wishes(asked) == wishes(read)


def evaluate(prompts: Sequence[LabelledPrompt], read: Callable[[str], Reading]) -> dict[str, dict[str, float]]:
    """Measure a reader.

    Args:
        prompts: with labels.
        read: the reader.

    Returns:
        Per style and for ``all``: ``prompts``, ``degradations`` (share with all nine right), ``wishes`` (share with
        balance side, keep wishes and objects right), ``everything`` (both), ``severity`` (share of the severities in
        the labels that are met within 0.2), ``unsure`` (share called unsure) and ``sure_and_right`` (share of the
        prompts not called unsure that are right).
    """
    rows: dict[str, list[dict[str, float]]] = {style: [] for style in (*STYLES, "all")}
    for item in prompts:
        row = _judge(item, read(item.prompt))
        rows[item.style].append(row)
        rows["all"].append(row)
    return {style: _summary(found) for style, found in rows.items() if found}


def network_reader(network: ReaderNetwork, speller: Speller) -> Callable[[str], Reading]:
    """A reader that runs a network in torch, on any text encoder, for measuring it."""

    @torch.no_grad()
    def read(prompt: str) -> Reading:
        words = split_words(clean(prompt))
        repaired = " ".join(speller.repair(word.text) if word.is_word else word.text for word in words)
        if not any(word.is_word for word in words) or is_foreign(words, speller.is_known):
            return Reading(prompt, Instruction())
        tokens = network.encoder.tokenize([repaired])
        outputs = network(tokens.ids, tokens.mask)
        answer = decode([{name: value[0].numpy() for name, value in outputs.items()}])
        return Reading(prompt, answer.instruction, unsure=answer.unsure, confidence=answer.confidence)

    return read


def _judge(item: LabelledPrompt, reading: Reading) -> dict[str, float]:
    asked, found = item.instruction, reading.instruction
    labelled = [name for name in DEGRADATIONS if asked.severity(name) > 0]
    near = sum(
        found.severity(n) > 0 and abs(found.severity(n) - asked.severity(n)) <= _TOLERANCE + 1e-6 for n in labelled
    )
    degradations, wishes = degradations_match(asked, found), wishes_match(asked, found)
    return {
        "degradations": float(degradations),
        "wishes": float(wishes),
        "everything": float(degradations and wishes),
        "unsure": float(bool(reading.unsure)),
        "near": float(near),
        "labelled": float(len(labelled)),
    }


def _summary(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    def mean(name: str) -> float:
        return round(sum(row[name] for row in rows) / len(rows), 4)

    labelled = sum(row["labelled"] for row in rows)
    sure = [row["everything"] for row in rows if not row["unsure"]]
    return {
        "prompts": len(rows),
        **{name: mean(name) for name in ("degradations", "wishes", "everything", "unsure")},
        "severity": round(sum(row["near"] for row in rows) / labelled, 4) if labelled else 1.0,
        "sure_and_right": round(sum(sure) / len(sure), 4) if sure else 1.0,
    }


def failures(prompts: Sequence[LabelledPrompt], read: Callable[[str], Reading]) -> list[dict[str, Any]]:
    """The prompts that are misread: style, prompt, label and reading in plain words."""
    found = []
    for item in prompts:
        reading = read(item.prompt)
        if degradations_match(item.instruction, reading.instruction) and wishes_match(
            item.instruction, reading.instruction
        ):
            continue
        found.append(
            {
                "style": item.style,
                "prompt": item.prompt,
                "asked": str(item.instruction),
                "read": str(reading.instruction),
                "unsure": list(reading.unsure),
            }
        )
    return found
