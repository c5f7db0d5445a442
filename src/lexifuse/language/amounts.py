"""Numbers in a prompt: "haze 90 %", "noise: 0.3", "(severity 8/10)", "70 % infrared", "balance -0.4", "only infrared".

The network was taught words. What says how much is taken out before it reads them, and sets the field of the words
that it stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import DEGRADATIONS
from lexifuse.language.clauses import CAMERAS, SOURCES, cameras_of
from lexifuse.language.denials import DAMAGE_WORDS
from lexifuse.language.fields import TAGS
from lexifuse.language.phrasing import PlainWord

_CLAUSE_ENDS = frozenset(",.;!?&+") | {"and", "but", "while", "plus"}
_LOUD = 0.0
"""Logit above which a word has a part in a field."""

_NUMBER = r"\+?(?:\d+(?:[.,]\d+)?|\.\d+)"
_PERCENT_SIGN = "(?:%|percent|pct|per cent)"
_PERCENT = rf"(?P<percent>{_NUMBER}) {_PERCENT_SIGN}"
_RATIO = rf"(?P<part>{_NUMBER}) (?:/|of|out of) (?P<whole>5|10|100)"
_SHARE = r"(?P<share>0?[.,]\d+|1[.,]0+|0)"
_TOWARDS = r"(?:at|by|to|of|is|=|:|about|around|roughly|only|a|an|with|more than|less than|at least|at most|over|up to)"
_LEVEL = r"(?:severity|level|strength|intensity|degree)"
_LEAD = rf"(?:\( )?(?:{_TOWARDS} )*(?:{_LEVEL} )?(?:{_TOWARDS} )*"
_UNITS = r"(?:stops?|ev|db|lux|times|x|m|km|cm|mm|px|pixels?|s|ms|seconds?|hz|fps|mp|megapixels?|degrees?|k)"
_ELSEWHERE = rf"(?:sure|certain|confident|likely|battery|zoom|{_UNITS}|of the (?:time|image|picture|frame|sky))"
_NOT_SAID_OF_DAMAGE = rf"(?! {_ELSEWHERE} )"
_NOT_DENIED = r"(?<!not )(?<!n't )(?<!never )"
_NO_DATE = r"(?<!from )(?<!on )(?<!of )(?<!since )(?<!dated )"
_NO_NUMBER = r"(?<!frame )(?<!image )(?<!picture )(?<!photo )(?<!page )"
_CAMERA = rf"(?P<camera>{'|'.join(sorted(CAMERAS))})(?: (?:image|picture|camera|channel|weight|share))?"
_OTHER_CAMERA = rf"(?:{'|'.join(sorted(CAMERAS))})"
_END = r"(?= (?:[,.;!?)&+/]|and|but|plus|while|$))"
_SHOWN = r"(?:show|use|see|display|want|give|view|take)(?: me)?(?: (?:just|only))?"

# Alternatives with groups of the same names cannot stand in one pattern.
_BALANCES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<= )balance (?:{_TOWARDS} )*(?P<balance>[-+]?{_NUMBER})(?= )(?! {_PERCENT_SIGN})",
        rf"(?<= )(?P<first>\d+) [/:-] (?P<second>\d+) (?P<favoured>in favou?r of |towards? )?(?:for )?(?:the"
        rf" )?{_CAMERA}"
        rf"(?: (?:/|:|-|to|and|vs|versus) (?:the )?{_OTHER_CAMERA})?{_END}",
        rf"(?<= ){_CAMERA} (?:(?:at|=|:|is) )*(?:{_PERCENT}|{_SHARE})"
        rf"(?:{_END}|(?= {_OTHER_CAMERA} (?:at |=|: |is )?\d))",
        rf"(?<= ){_CAMERA} (?:{_PERCENT}|{_SHARE}) of the (?:weight|result|picture|image|mix|blend)(?= )",
        rf"(?<= )(?:{_PERCENT}|{_SHARE}) (?:of )?(?P<change>more |less )?(?:of )?(?:the )?{_CAMERA}(?= )",
        rf"(?:^ |(?<=[,.;!] ))(?P<shown>{_SHOWN} )?(?P<whole_picture>only|just) (?:the )?{_CAMERA}{_END}",
        rf"(?:^ |(?<=[,.;!] ))(?P<shown>{_SHOWN} )?(?:the )?{_CAMERA} (?P<whole_picture>only){_END}",
        rf"(?:^ |(?<=[,.;!] ))(?P<whole_picture>only|just) (?P<shown>use|show|take|display) (?:the )?{_CAMERA}{_END}",
        rf"(?<= ){_CAMERA} (?P<first>\d+) (?:,|/|and|:) {_OTHER_CAMERA} (?P<second>\d+){_END}",
        rf"(?<= )(?P<none_of_it>without|nothing of|(?:don't|do not) (?:use|show)) (?:the )?{_CAMERA}{_END}",
        rf"(?<= )(?P<none_of_it>ignore|disregard|discard|drop) (?:the )?{_CAMERA} "
        rf"(?:completely|entirely|altogether)(?= )",
    )
)
_AMOUNTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<= ){_LEAD}(?:between )?(?P<low>{_NUMBER}) (?:{_PERCENT_SIGN} )?(?:-|to|and) (?P<high>{_NUMBER})"
        rf"(?: (?P<of_hundred>{_PERCENT_SIGN}))?(?= )(?: \))?",
        rf"(?<= ){_NOT_DENIED}{_LEAD}{_NOT_DENIED}(?:{_PERCENT}|{_SHARE}){_NOT_SAID_OF_DAMAGE}"
        rf"(?= )(?: of(?= ))?(?: \))?",
        rf"(?<= )(?:\( )?(?:{_TOWARDS} )*{_LEVEL} (?:{_TOWARDS} )*{_RATIO}(?= )(?: \))?",
        rf"(?<= )(?:\( )?{_NO_DATE}{_RATIO}(?: \)(?= )|{_END})",
        rf"(?<= ){_NO_DATE}{_NO_NUMBER}(?P<beside>{_RATIO})(?= )",
        rf"(?<= )(?:\( )?(?:{_LEVEL} (?:{_TOWARDS} )*|[:=] )(?P<level>[-+]?{_NUMBER})(?= )(?! {_PERCENT_SIGN})(?: \))?",
        rf"(?<= )(?:[:=] )?(?P<negative>-{_NUMBER})(?: {_PERCENT_SIGN})?(?= )",
        rf"(?<= )(?:by )?(?P<unknown>{_NUMBER}) (?:stops?|ev|db|times|x)(?= )(?! \d)",
        rf"(?<= )(?P<bare>{_NUMBER}){_END}",
    )
)
_OTHER_QUANTITIES = frozenset(
    {"sigma", "std", "variance", "iso", "gamma", "snr", "psnr", "exposure", "contrast", "aperture"}
)
"""What a number is said of that is no share of damage."""

_RAISING = frozenset({"increase", "raise", "boost", "improve", "enhance", "stretch", "more", "higher"})


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
        fields = ("balance",) if amount.is_balance else _fields_beside(number, amounts, mentions, ends, lower)
        # Two shares of the pictures may say the same: "30 % visible, 70 % infrared".
        settled = any(values.get(field, amount.value) != amount.value for field in fields)
        if amount.value is None or not fields or settled:
            left.append(number)
            continue
        values.update(dict.fromkeys(fields, amount.value))
        said += [(number, field) for field in fields]
    return Placed(values, tuple(said), tuple(left))


def _fields_beside(
    number: int,
    amounts: Sequence[Amount],
    mentions: Mapping[int, Sequence[tuple[int, tuple[str, ...]]]],
    ends: NDArray[np.int_],
    words: Sequence[str],
) -> tuple[str, ...]:
    """The degradations that an amount is said of, in its clause or the one before; none where nothing is."""
    amount = amounts[number]
    clause = int(ends[amount.at])
    if beside := mentions.get(clause):
        rivals = [n for n, other in enumerate(amounts) if int(ends[other.at]) == clause and not other.is_balance]
        if len(rivals) == len(beside):
            return beside[rivals.index(number)][1]
        return min(beside, key=lambda mention: abs(mention[0] + 0.5 - amount.at))[1]
    fields = mentions[clause - 1][-1][1] if clause - 1 in mentions else ()
    sources = cameras_of([word for at, word in enumerate(words) if ends[at] == clause])
    if len(sources) != 1:
        return fields
    # "20 % noise in the infrared and 80 % in the visible"
    here = (f"{min(sources)}.{name.partition('.')[2]}" for name in fields)
    return tuple(name for name in here if name in DEGRADATIONS)


def _found(words: Sequence[str]) -> Iterable[Amount]:
    """All amounts, ``at`` not yet known; of two that overlap, the one whose pattern stands first."""
    text = f" {' '.join(words)} "
    for pattern in (*_BALANCES, *_AMOUNTS):
        for found in list(pattern.finditer(text)):
            first = text.count(" ", 0, found.start() + 1) - 1
            last = first + found.group().strip().count(" ")
            groups = {name: value for name, value in found.groupdict().items() if value is not None}
            is_balance = pattern in _BALANCES
            before = words[first - 1] if first else ""
            if "camera" in groups and _speaks_of_damage(words, first, last):
                continue
            if "whole_picture" in groups and "shown" not in groups and not DAMAGE_WORDS.keys().isdisjoint(words):
                continue  # "grain, visible only" says where the grain is
            if groups.keys() & {"bare", "negative"} and before not in DAMAGE_WORDS:
                continue
            if "beside" in groups and DAMAGE_WORDS.keys().isdisjoint(words[max(first - 1, 0) : last + 2]):
                continue
            if "level" in groups and before.isdigit():
                continue  # "9:30"
            other = before in _OTHER_QUANTITIES and not (before == "contrast" and _is_raised(words, found.group()))
            value = _balance(groups) if is_balance else _share(groups)
            yield Amount(0, first, last, None if other else value, is_balance)
            # What was read is blotted out, at its length.
            text = text[: found.start()] + re.sub(r"[^ ]", "_", found.group()) + text[found.end() :]


def _is_raised(words: Sequence[str], number: str) -> bool:
    """Whether something is to become more by a number: "increase the contrast by 20 %", "contrast +20 %"."""
    return "+" in number or not _RAISING.isdisjoint(words)


def _speaks_of_damage(words: Sequence[str], first: int, last: int) -> bool:
    """Whether the clause around some words names damage, or a heading before it.

    In "noise in the infrared: 30 %" and "noise: infrared 30 %" the noise is meant.
    """
    start = max((at + 1 for at in range(first) if words[at] in _CLAUSE_ENDS), default=0)
    stop = next((at for at in range(last + 1, len(words)) if words[at] in _CLAUSE_ENDS), len(words))
    headed = any(one in DAMAGE_WORDS and sign == ":" for one, sign in pairwise(words[:first]))
    return headed or not DAMAGE_WORDS.keys().isdisjoint(words[start:stop])


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _share(groups: Mapping[str, str]) -> float | None:
    """0..1; None for what is no share."""
    if groups.keys() & {"unknown", "negative"}:
        return None
    if "first" in groups:
        shares = _number(groups["first"]), _number(groups["second"])
        # "30/70 in favour of thermal" gives the larger share to it, "30/70 thermal to visible" the first.
        share = max(shares) if "favoured" in groups else shares[0]
        return share / 100 if sum(shares) == 100 else None
    if "percent" in groups:
        share = _number(groups["percent"]) / 100
    elif "whole" in groups:
        share = _number(groups["part"]) / _number(groups["whole"])
    elif "low" in groups:
        share = (_number(groups["low"]) + _number(groups["high"])) / (200 if "of_hundred" in groups else 2)
    else:
        share = next(_number(groups[name]) for name in ("share", "level", "bare") if name in groups)
    return round(share, 4) if 0.0 <= share <= 1.0 else None


def _balance(groups: Mapping[str, str]) -> float | None:
    """-1 (visible only) .. +1 (infrared only)."""
    if "balance" in groups:
        value = _number(groups["balance"])
        return value if abs(value) <= 1.0 else None
    towards = 1.0 if groups["camera"] in SOURCES["infrared"] else -1.0
    if "whole_picture" in groups or "none_of_it" in groups:
        return towards if "whole_picture" in groups else -towards
    share = _share(groups)
    if share is None:
        return None
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
    spoken: dict[int, list[str]] = {}
    for word, end in zip(words, ends.tolist(), strict=False):
        spoken.setdefault(end, []).append(word)
    cameras = {clause: cameras_of(those) for clause, those in spoken.items()}
    for word, strengths in zip(plain, marks, strict=True):
        clause = int(ends[word.start])
        sources = cameras.get(clause, set())
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
