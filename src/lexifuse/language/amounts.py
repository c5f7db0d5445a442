"""Numbers in a prompt: "haze 90 %", "noise: 0.3", "(severity 8/10)", "70 % infrared", "balance -0.4".

The network was taught words. What says how much is taken out before it reads them, and sets the field of the words
that it stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lexifuse.language.clauses import CAMERAS, SOURCES, cameras_of
from lexifuse.language.denials import DAMAGE_WORDS
from lexifuse.language.fields import TAGS
from lexifuse.language.phrasing import PlainWord

_CLAUSE_ENDS = frozenset(",.;!?&+") | {"and", "but", "while", "plus"}
_LOUD = 0.0
"""Logit above which a word has a part in a field."""

_NUMBER = r"\d+(?:[.,]\d+)?"
_PERCENT = rf"(?P<percent>{_NUMBER}) (?:%|percent|pct|per cent)"
_RATIO = rf"(?P<part>{_NUMBER}) / (?P<whole>(?!50 )\d+)"
_SHARE = r"(?P<share>0[.,]\d+|1[.,]0+)"
_TOWARDS = r"(?:at|by|to|of|is|=|:|about|around|roughly|only|a|an|with)"
_LEVEL = r"(?:severity|level|strength|intensity|degree)"
_UNITS = r"(?:stops?|ev|db|lux|times|x|m|km|cm|mm|px|pixels?|s|ms|seconds?|hz|fps|mp|megapixels?|degrees?|k)"
_ELSEWHERE = rf"(?:sure|certain|confident|likely|battery|zoom|{_UNITS}|of the (?:time|image|picture|frame|sky))"
_NOT_SAID_OF_DAMAGE = rf"(?! {_ELSEWHERE} )"
_CAMERA = rf"(?P<camera>{'|'.join(sorted(CAMERAS))})(?: (?:image|picture|camera|channel|weight|share))?"
_END = r"(?= (?:[,.;!?)&+/]|and|but|plus|while|$))"

# Alternatives with groups of the same names cannot stand in one pattern.
_BALANCES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<= )balance (?:{_TOWARDS} )*(?P<sign>[-+] )?(?P<balance>{_NUMBER})(?= )(?! %)",
        rf"(?<= )(?:{_PERCENT}|{_SHARE}) (?:of )?(?P<change>more |less )?(?:of )?(?:the )?{_CAMERA}(?= )",
        rf"(?<= ){_CAMERA} (?:(?:at|=|:|is) )*(?:{_PERCENT}|{_SHARE}){_END}",
    )
)
_AMOUNTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<= )(?:\( )?(?:{_TOWARDS} )*(?:{_LEVEL} )?(?:{_TOWARDS} )*(?:{_PERCENT}|{_RATIO}|{_SHARE})"
        rf"(?= ){_NOT_SAID_OF_DAMAGE}(?: of(?= ))?(?: \))?",
        rf"(?<= )(?:\( )?(?:{_TOWARDS} )*{_LEVEL} (?:{_TOWARDS} )*"
        rf"(?P<part>{_NUMBER}) (?:of|out of) (?P<whole>\d+)(?= )(?: \))?",
        rf"(?<= )(?:\( )?(?:{_LEVEL} (?:{_TOWARDS} )*|[:=] )(?P<level>\d+)(?= )(?! %)(?: \))?",
        rf"(?<= )(?:by )?(?P<unit>{_NUMBER}) (?:stops?|ev|db|times|x)(?= )(?! \d)",
    )
)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that says how much.

    Attributes:
        at: index of the first of the remaining words behind it.
        first: index of the first of the user's words that say it.
        last: index of the last of them.
        value: a share 0..1, or a balance -1..1; None where it is of a scale that is not known here ("2 stops").
        is_balance: whether it says how much of each picture there shall be.
    """

    at: int
    first: int
    last: int
    value: float | None
    is_balance: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What amounts came to.

    Attributes:
        values: field to value.
        said: for each amount that found its field, the index of the amount and the field.
        left: indices of the amounts that found none.
    """

    values: Mapping[str, float]
    said: tuple[tuple[int, str], ...]
    left: tuple[int, ...]


def take_out(words: Sequence[str]) -> tuple[list[int], list[Amount]]:
    """Part the words of a prompt from the numbers that say how much.

    Args:
        words: of the prompt, signs among them.

    Returns:
        The indices of the words that remain, and the amounts in their order.

    >>> take_out(["haze", "90", "%"])
    ([0], [Amount(at=1, first=1, last=2, value=0.9, is_balance=False)])
    """
    lower = [word.lower() for word in words]
    if not any(word[0].isdigit() for word in lower):
        return list(range(len(words))), []
    found = sorted(_found(lower), key=lambda amount: amount.first)
    taken = {index for amount in found for index in range(amount.first, amount.last + 1)}
    remaining = [index for index in range(len(words)) if index not in taken]
    places = np.searchsorted(remaining, [amount.first for amount in found])
    return remaining, [replace(amount, at=int(place)) for amount, place in zip(found, places, strict=True)]


def place(
    amounts: Sequence[Amount],
    words: Sequence[str],
    plain: Sequence[PlainWord],
    marks: NDArray[np.float32],
    asked: Collection[str],
) -> Placed:
    """Find the field that each amount belongs to: what is spoken of beside it in its clause, or in the one before.

    Args:
        amounts: of the prompt.
        words: that remain, as :func:`take_out` counts them.
        plain: the words that the network has read.
        marks: (len(plain), len(TAGS)) logits, how strongly each of them speaks of each field.
        asked: degradations that the words ask for.
    """
    lower = [word.lower() for word in words]
    ends = np.cumsum([0, *(word in _CLAUSE_ENDS for word in lower)])
    mentions = _mentions(plain, marks, asked, ends, lower)
    values: dict[str, float] = {}
    said: list[tuple[int, str]] = []
    left: list[int] = []
    for number, amount in enumerate(amounts):
        clause = int(ends[amount.at])
        beside = mentions.get(clause) or mentions.get(clause - 1, [])[-1:]
        rivals = [n for n, other in enumerate(amounts) if int(ends[other.at]) == clause and not other.is_balance]
        if amount.value is None or not (beside or amount.is_balance):
            left.append(number)
            continue
        if amount.is_balance:
            fields = ("balance",)
        elif len(rivals) == len(beside):
            fields = beside[rivals.index(number)][1]
        else:
            fields = min(beside, key=lambda mention: abs(mention[0] + 0.5 - amount.at))[1]
        values.update(dict.fromkeys(fields, amount.value))
        said += [(number, field) for field in fields]
    return Placed(values, tuple(said), tuple(left))


def _found(words: Sequence[str]) -> Iterable[Amount]:
    """All amounts, ``at`` not yet known; of two that overlap, the one whose pattern stands first."""
    text = f" {' '.join(words)} "
    for pattern in (*_BALANCES, *_AMOUNTS):
        for found in list(pattern.finditer(text)):
            first = text.count(" ", 0, found.start()) - 1
            last = first + found.group().count(" ")
            groups = {name: value for name, value in found.groupdict().items() if value is not None}
            is_balance = pattern in _BALANCES
            if "camera" in groups and _speaks_of_damage(words, first, last):
                continue
            value = _balance(groups) if is_balance else _share(groups)
            yield Amount(0, first, last, value, is_balance)
            # What was read is blotted out, at its length.
            text = text[: found.start()] + re.sub(r"[^ ]", "_", found.group()) + text[found.end() :]


def _speaks_of_damage(words: Sequence[str], first: int, last: int) -> bool:
    """Whether the clause around some words names damage: in "noise in the infrared: 30 %" the noise is meant."""
    start = max((at + 1 for at in range(first) if words[at] in _CLAUSE_ENDS), default=0)
    stop = next((at for at in range(last + 1, len(words)) if words[at] in _CLAUSE_ENDS), len(words))
    return not DAMAGE_WORDS.keys().isdisjoint(words[start:stop])


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _share(groups: Mapping[str, str]) -> float | None:
    if "percent" in groups:
        share = _number(groups["percent"]) / 100
    elif "part" in groups:
        share = _number(groups["part"]) / max(_number(groups["whole"]), 1e-9)
    elif "unit" in groups:
        return None
    else:
        share = _number(groups.get("share") or groups["level"])
    return round(share, 4) if share <= 1.0 else None


def _balance(groups: Mapping[str, str]) -> float | None:
    """-1 (visible only) .. +1 (infrared only)."""
    if "balance" in groups:
        value = _number(groups["balance"]) * (-1.0 if groups.get("sign", "").startswith("-") else 1.0)
        return value if abs(value) <= 1.0 else None
    share = _share(groups)
    if share is None:
        return None
    towards = 1.0 if groups["camera"] in SOURCES["infrared"] else -1.0
    changes = {"more ": share, "less ": -share}
    return round(towards * changes.get(groups.get("change", ""), 2.0 * share - 1.0), 4)


def _mentions(
    plain: Sequence[PlainWord],
    marks: NDArray[np.float32],
    asked: Collection[str],
    ends: NDArray[np.int_],
    words: Sequence[str],
) -> dict[int, list[tuple[int, tuple[str, ...]]]]:
    """For each clause where something is spoken of, and what: the word that is loudest of each field."""
    loudest: dict[tuple[int, str], tuple[float, int]] = {}
    for word, strengths in zip(plain, marks, strict=True):
        clause = int(ends[word.start])
        sources = cameras_of([other for at, other in enumerate(words) if ends[at] == clause])
        for name in asked:
            strength = float(strengths[TAGS.index(name)])
            if strength > _LOUD and (not sources or name.partition(".")[0] in sources):
                heard = (strength, word.start)
                loudest[clause, name] = max(loudest.get((clause, name), heard), heard)
    found: dict[int, dict[int, tuple[str, ...]]] = {}
    for (clause, name), (_, at) in loudest.items():
        spots = found.setdefault(clause, {})
        spots[at] = (*spots.get(at, ()), name)
    return {clause: sorted(spots.items()) for clause, spots in found.items()}
