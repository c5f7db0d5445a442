"""What a few rules settle after the network: whose damage it is, words for a whole group, reasons that are none.

The network reads words well and the bounds of clauses less so; a rule speaks only where a clause leaves no doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import HIGHLIGHT_GROUPS, SEVERE, Instruction
from lexifuse.language.clauses import CAMERAS, cameras_of, clauses
from lexifuse.language.decoding import CONFIDENT, Answer
from lexifuse.language.denials import DAMAGE_WORDS
from lexifuse.language.fields import TAGS
from lexifuse.language.word_groups import OBJECT
from lexifuse.language.words import FUNCTION_WORDS

_GROUP_WORDS = {"vehicle": "vehicle", "vehicles": "vehicle", "traffic": "vehicle"}
_MEMBER_WORDS = {
    "car": {"car", "cars"},
    "truck": {"truck", "trucks", "lorry", "lorries"},
    "bus": {"bus", "buses", "coach", "coaches"},
    "motorcycle": {"motorcycle", "motorcycles", "motorbike", "motorbikes"},
}
_AS_WELL = {"too", "also", "likewise", "same"}
_WEATHER = {"weather", "conditions", "forecast"}
_UNKIND = {"bad", "awful", "terrible", "horrible", "nasty", "poor", "tomorrow"}
_NEGATIONS = {"no", "not", "without", "none", "never", "isn't", "aren't", "hasn't", "doesn't", "don't"}
_PRAISE = {"crisp", "sharp", "clear", "clean"}
_GOOD = {"good", "fine", "great", "ok", "okay", "perfect", "excellent", "alright"}
_STATES = {"is", "are", "was", "were", "looks", "look", "seems", "seem", "it's"}
_TURNS = {"not", "no", "isn't", "aren't", "wasn't", "never", "hardly", "barely", "less", "should", "must", "if"}
_INTENSE = {"very", "perfectly", "really", "quite", "nice", "and"}
_VERBS = {"does", "do", "did", "has", "have", "is", "are"}
_TOLERATED = {"acceptable", "tolerable", "negligible", "low", "little", "less", "hardly", "barely", "ignore", "leave"}
_LESSENING = {"reduce", "decrease", "less", "soften", "diminish"}
_HAVING = {"has", "have", "shows", "is", "with", "got", "there's"}
_PARTICLES = {"the", "of", "its", "a", "bit", "image", "picture", "this"}
_HIDING = {"hide", "remove", "erase", "delete", "omit"}
_STRANGERS = {
    *("boat", "boats", "ship", "ships", "vessel", "vessels", "yacht", "yachts", "raft", "rafts", "ferry", "ferries"),
    *("canoe", "canoes", "kayak", "kayaks", "dinghy", "drone", "drones", "uav", "uavs", "plane", "planes"),
    *("aircraft", "airplane", "airplanes", "helicopter", "helicopters"),
}
"""Objects of a class that nothing here knows, which the network takes for one that it knows."""
_OBJECT = "highlight: "
# Commas go on with a list only where a last "and" or "or" closes it: "not cars, trucks or buses".
_LEFT_OUT = re.compile(rf"(?<!\S)but not ({OBJECT}(?:(?: , {OBJECT})*(?: ,)? (?:and|or|&) {OBJECT})?)(?!\S)")
_BETWEEN = {"the", "all", "any", "every", "these", "those", "of", "and", "or"}
_FAINT = -1.0
"""Logit above which a word may have a part in a field."""
_LOUD = 0.0
"""Logit above which a word has a part in a field."""


@dataclass(frozen=True, eq=False)
class Settled:
    """What the rules left.

    Attributes:
        answer: the network's, mended.
        marks: (W, len(TAGS)), how strongly each word speaks of each field, mended likewise.
        impossible: words that ask for what the camera they name is not repaired for, or for something to be hidden.
        vague: words that something was read from and that say too little for it.
    """

    answer: Answer
    marks: NDArray[np.float32]
    impossible: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()


def settle(words: Sequence[str], answer: Answer, marks: NDArray[np.float32]) -> Settled:
    """Apply all rules.

    Args:
        words: of the prompt, repaired, signs among them.
        answer: of the network.
        marks: (W, len(TAGS)) logits, how strongly each word speaks of each field.
    """
    lower = [word.lower() for word in words]
    where = clauses(lower, DAMAGE_WORDS)
    as_well = _noisy_as_well(lower, where, answer)
    changed = {name: severity for name, severity in as_well.items() if not answer.instruction.severity(name)}
    noise = {name: answer.instruction.severity(name) for name in ("visible.noise", "infrared.noise")}
    in_both, marks = _noisy_in_both(lower, where, noise | changed, marks)
    changed |= in_both
    impossible: list[str] = []
    vague: list[str] = []
    for name in answer.instruction.asked_for():
        reasons = _reasons(marks[:, TAGS.index(name)])
        spoken = [word for word in (lower[index] for index in reasons) if word not in FUNCTION_WORDS]
        if _WEATHER & set(spoken) and set(spoken) <= _WEATHER | _UNKIND:
            changed[name] = 0.0
            vague += spoken
        elif name == "infrared.low_contrast" and (unwanted := _has_too_much(lower, where, "contrast")):
            changed[name] = 0.0
            vague += unwanted
        elif name == "visible.blur" and spoken and all(_is_praise(lower, index) for index in reasons):
            changed[name] = 0.0
        elif name not in as_well and _of_other_camera(name, answer, lower, where, marks):
            changed[name] = 0.0
            denied = name.endswith(".noise") or (name.startswith("infrared") and "infrared" in cameras_of(lower))
            impossible += [] if denied else [word for word in spoken if word not in CAMERAS]
    if "can't see a thing" in " ".join(lower) and answer.instruction.visible.low_light:
        changed["visible.low_light"] = SEVERE
    kept, hiding = _not_hidden(lower, answer.instruction.highlight, marks)
    impossible += hiding
    asked = answer.instruction.with_values({**changed, "highlight": kept})
    instruction, marks = _whole_groups(lower, asked, marks)
    vague += [word for word in lower if word in _STRANGERS]
    if excluded := _excluded(lower, marks) | _strange(lower, instruction.highlight, marks):
        wanted = [name for name in instruction.highlight if name not in excluded]
        instruction = instruction.with_values({"highlight": wanted})
    certainty = {**answer.certainty, **dict.fromkeys(changed, 1.0)}
    return Settled(
        replace(answer, instruction=instruction, certainty=certainty), marks, tuple(impossible), tuple(vague)
    )


def _reasons(strength: NDArray[np.float32], least: float = _FAINT) -> list[int]:
    """The words that have a part in a field, its loudest word at least."""
    return np.flatnonzero(strength >= min(least, float(strength.max()))).tolist()


def _is_praise(words: Sequence[str], index: int) -> bool:
    """Whether a word says that nothing is wrong: "the photo is crisp", but not "make it crisp" or "should be crisp"."""
    before = [word for word in words[max(index - 4, 0) : index] if word not in _INTENSE]
    if words[index] in FUNCTION_WORDS:
        return True
    return words[index] in _PRAISE and bool(before) and before[-1] in _STATES and not _TURNS & set(before)


def _has_too_much(words: Sequence[str], where: Sequence[int], what: str) -> list[str]:
    """The words of a clause that want less of something: "reduce the contrast", "too much contrast"; else none."""
    for clause in {where[index] for index, word in enumerate(words) if word == what}:
        spoken = _clause(words, where, clause)
        at = spoken.index(what)
        before = [word for word in spoken[:at] if word not in _PARTICLES | CAMERAS]
        # "Less contrast" asks for less; whatever "has less contrast" has too little.
        lessened = before[-1:] and before[-1] in _LESSENING and not _HAVING & set(spoken[:at])
        too_much = before[-2:] == ["too", "much"] or before[-1:] == ["excessive"] or "too high" in " ".join(spoken[at:])
        if lessened or too_much or before in (["lower"], ["please", "lower"]):
            return [word for word in spoken if word in _LESSENING | {"excessive", "much", "high", "lower", what}]
    return []


def _says_as_well(words: Sequence[str]) -> bool:
    """Whether something is said of the one camera that holds for the other too: "also", "so does the thermal"."""
    so = any(one == "so" and two in _VERBS for one, two in pairwise(words))
    return so or bool(_AS_WELL & set(words))


def _of_other_camera(
    name: str, answer: Answer, words: Sequence[str], where: Sequence[int], marks: NDArray[np.float32]
) -> bool:
    """Whether the words for a degradation are said of the other camera alone.

    Noise, which both cameras have, must be in doubt besides, or read from those words only ("just as bad" speaks of
    noise without naming it). What only the infrared image is repaired for is of the other camera where the infrared is
    not named at all, or praised. What only the visible image is repaired for must be in doubt too: it is spoken of in
    all kinds of ways.
    """
    source, _, damage = name.partition(".")
    other = {"visible", "infrared"} - {source}
    spots = {where[index] for index, word in enumerate(words) if name in DAMAGE_WORDS.get(word, ())}
    if damage != "noise":
        spoken = [_clause(words, where, clause) for clause in spots]
        theirs = [cameras_of(clause) == other for clause in spoken]
        praised = [bool(_GOOD & set(clause)) and not _NEGATIONS & set(clause) for clause in spoken]
        if source == "visible":
            return answer.certainty[name] < CONFIDENT and bool(theirs) and all(theirs)
        elsewhere = any(theirs) and all(one or other for one, other in zip(theirs, praised, strict=True))
        return cameras_of(words) == {"visible"} or elsewhere
    if answer.certainty[name] >= CONFIDENT:
        heard = {where[index] for index in _reasons(marks[:, TAGS.index(name)], _LOUD)}
        if not heard <= spots or _says_as_well(words):
            return False
    # "no noise here; the other has some": what a negated clause does not ask for was read from elsewhere.
    spoken = [_clause(words, where, clause) for clause in spots]
    return bool(spoken) and all(cameras_of(clause) == other and not _NEGATIONS & set(clause) for clause in spoken)


def _noisy_as_well(words: Sequence[str], where: Sequence[int], answer: Answer) -> dict[str, float]:
    """The other camera's noise in "the thermal image is noisy, the visible one too", where the network is in doubt."""
    found: dict[str, float] = {}
    for one, other in (("infrared", "visible"), ("visible", "infrared")):
        asked, doubtful = answer.instruction.severity(f"{one}.noise"), f"{other}.noise"
        if not asked or answer.certainty[doubtful] >= CONFIDENT:
            continue
        for clause in range(1, max(where, default=0) + 1):
            spoken = _clause(words, where, clause)
            as_well = _AS_WELL & set(spoken) or " as well" in " ".join(spoken)
            only_this = cameras_of(spoken) == {other} and len(set(spoken) - FUNCTION_WORDS) <= 4
            if as_well and only_this and cameras_of(_clause(words, where, clause - 1)) == {one}:
                found[doubtful] = asked
    return found


def _noisy_in_both(
    words: Sequence[str], where: Sequence[int], asked: Mapping[str, float], marks: NDArray[np.float32]
) -> tuple[dict[str, float], NDArray[np.float32]]:
    """A camera's noise that stands in a clause of its own beside the other's: "infrared noise, visible noise"."""
    found: dict[str, float] = {}
    for one, other in (("infrared", "visible"), ("visible", "infrared")):
        mine, theirs = f"{one}.noise", f"{other}.noise"
        if asked.get(mine) or not asked.get(theirs):
            continue
        for clause in range(max(where, default=0) + 1):
            spoken = _clause(words, where, clause)
            named = [at for at, word in enumerate(words) if where[at] == clause and mine in DAMAGE_WORDS.get(word, ())]
            if named and cameras_of(spoken) == {one} and not (_NEGATIONS | _GOOD | _TOLERATED) & set(spoken):
                found[mine] = asked[theirs]
                marks = marks.copy()
                marks[named[0], TAGS.index(mine)] = max(marks[named[0], TAGS.index(theirs)], _LOUD + 1.0)
    return found, marks


def _not_hidden(
    words: Sequence[str], objects: Sequence[str], marks: NDArray[np.float32]
) -> tuple[list[str], list[str]]:
    """The objects that nobody asks to hide, and the words that ask for it: "hide the people" brings nobody out."""
    columns = {name: TAGS.index(_OBJECT + name) for name in objects}
    kept, hiding = [], []
    for name, column in columns.items():
        index = int(marks[:, column].argmax())
        spoken = marks[:, list(columns.values())].max(1) > _LOUD
        while index and words[index] not in _HIDING and (words[index] in _BETWEEN or spoken[index]):
            index -= 1
        if words[index] in _HIDING and not _negated(words, index):
            hiding.append(words[index])
        else:
            kept.append(name)
    return kept, hiding


def _excluded(words: Sequence[str], marks: NDArray[np.float32]) -> set[str]:
    """The objects that are named behind a "but not": "vehicles but not cars" asks for no cars."""
    columns = {tag.removeprefix(_OBJECT): column for column, tag in enumerate(TAGS) if tag.startswith(_OBJECT)}
    text = " ".join(words)
    found: set[str] = set()
    for named in _LEFT_OUT.finditer(text):
        first = text.count(" ", 0, named.start(1))
        for index, word in enumerate(named[1].split(), first):
            if word in FUNCTION_WORDS or not word[0].isalpha():
                continue
            found |= {name for name, members in _MEMBER_WORDS.items() if word in members}
            loudest = max(columns, key=lambda name, at=index: marks[at, columns[name]])
            found |= {loudest} if marks[index, columns[loudest]] > _FAINT else set()
    return found


def _strange(words: Sequence[str], objects: Sequence[str], marks: NDArray[np.float32]) -> set[str]:
    """The objects that are read from the name of another kind of thing alone: "boats" are no cars."""
    loudest = {name: words[int(marks[:, TAGS.index(_OBJECT + name)].argmax())] for name in objects}
    return {name for name, word in loudest.items() if word in _STRANGERS}


def _negated(words: Sequence[str], index: int) -> bool:
    return bool(_NEGATIONS & set(words[max(index - 2, 0) : index]))


def _whole_groups(
    words: Sequence[str], asked: Instruction, marks: NDArray[np.float32]
) -> tuple[Instruction, NDArray[np.float32]]:
    """All members of a group that is asked for as a whole ("vehicles"), but those that are named and left out."""
    objects = list(asked.highlight)
    for name in asked.highlight:
        strength = marks[:, TAGS.index(_OBJECT + name)]
        groups = {_GROUP_WORDS[words[index]] for index in _reasons(strength) if words[index] in _GROUP_WORDS}
        for members in (HIGHLIGHT_GROUPS[group] for group in groups):
            left_out = {other for other in members if _MEMBER_WORDS[other] & set(words)}
            added = members - set(objects) - left_out if name in members else ()
            objects += added
            marks = marks.copy()
            for other in added:
                marks[:, TAGS.index(_OBJECT + other)] = strength
    return asked.with_values({"highlight": objects}), marks


def _clause(words: Sequence[str], where: Sequence[int], clause: int) -> list[str]:
    return [word for word, at in zip(words, where, strict=True) if at == clause]
