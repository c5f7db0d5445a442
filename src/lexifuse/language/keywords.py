"""A first, small reader: keywords, the source they speak of, negation and strength, clause by clause."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lexifuse.instruction import PLAIN, SEVERE, SLIGHT, Instruction
from lexifuse.language.reading import Reading

_SOURCES = {
    "visible": r"visible|colou?r|rgb|daylight|optical|day ?time|vis|normal (?:camera|image|picture|photo)",
    "infrared": r"infra-?red|thermal|heat|ir|lwir|flir",
}
_DAMAGE = {
    "visible": {
        "low_light": r"low[- ]light|(?:too |so |very |pitch )?(?:dark|dim|black)(?!er)|under-?exposed|night(?:time)?|brighten|gloomy",
        "over_exposure": r"over-?expos\w+|overexposure|too bright|blown[- ]out|washed[- ]out|glare|saturated|dazzl\w+",
        "haze": r"haz[ey]\w*|fog\w*|mist\w*|smok[ey]\w*|dehaz\w+",
        "rain": r"rain\w*|drizzl\w+|derain\w*",
        "blur": r"blur\w*|deblur\w*|out of focus|defocus\w*|unsharp|shak[ey]\w*|fuzzy|sharpen",
        "noise": r"nois[ey]\w*|denois\w+|grain\w*|speckl\w+",
    },
    "infrared": {
        "low_contrast": r"low[- ]contrast|(?:poor|weak|little|no|lacks?|bad) contrast|flat|faint|dull|washed[- ]out",
        "stripes": r"strip\w+|banding|column noise|bands|lines",
        "noise": r"nois[ey]\w*|denois\w+|grain\w*|speckl\w+",
    },
}
_OBJECTS = {
    "person": r"person|people|pedestrians?|humans?|m[ae]n|wom[ae]n|child(?:ren)?|survivors?|walkers?",
    "cyclist": r"cyclists?|bikers?|bicycles?|bikes?",
    "car": r"cars?|vehicles?",
    "truck": r"trucks?|lorr(?:y|ies)",
    "bus": r"bus(?:es)?",
    "motorcycle": r"motor-?(?:cycles?|bikes?)",
    "animal": r"animals?|dogs?|deer",
    "traffic sign": r"(?:traffic |road )?signs?",
    "traffic light": r"traffic lights?",
    "building": r"buildings?|houses?",
    "vegetation": r"vegetation|trees?|plants?",
    "fire": r"fires?|flames?",
    "hot spot": r"hot ?spots?|hot (?:things|objects|areas)|warm objects",
}
_BRING_OUT = (
    r"stand out|highlight|emphasi[sz]e|bring out|pop|show (?:me )?(?:the )?|where (?:are|is)|find|focus on|look for"
)
_STRONG = (
    r"very|severe(?:ly)?|extreme(?:ly)?|heav(?:y|ily)|pitch|terribl[ey]|strong(?:ly)?|really|totally|way too|badly"
)
_WEAK = r"slight(?:ly)?|a (?:little|bit)|somewhat|mild(?:ly)?|lightly|weak(?:ly)?|faint(?:ly)?|touch of"
_NEGATION = r"\b(?:no|not|isn'?t|aren'?t|don'?t|do not|without|never|fine|perfect|good|clean|ok(?:ay)?)\b"
_CLAUSE = re.compile(r"[,;.!?]|\b(?:but|while|whereas|however|and the|only the)\b")
_FILLER = frozenset(
    [
        "a",
        "all",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "both",
        "camera",
        "can",
        "correct",
        "due",
        "enhance",
        "fix",
        "for",
        "from",
        "fuse",
        "fused",
        "fusion",
        "get",
        "has",
        "have",
        "i",
        "image",
        "images",
        "improve",
        "in",
        "infrared",
        "into",
        "is",
        "it",
        "its",
        "keep",
        "make",
        "me",
        "more",
        "of",
        "on",
        "one",
        "ones",
        "or",
        "photo",
        "photos",
        "picture",
        "pictures",
        "please",
        "quality",
        "remove",
        "removed",
        "repair",
        "restore",
        "scene",
        "shot",
        "so",
        "some",
        "source",
        "suffers",
        "from",
        "that",
        "the",
        "them",
        "there",
        "these",
        "they",
        "this",
        "to",
        "too",
        "two",
        "under",
        "up",
        "use",
        "very",
        "view",
        "was",
        "we",
        "were",
        "which",
        "with",
        "want",
        "would",
        "you",
        "your",
        "out",
        "stand",
        "only",
        "not",
        "no",
        "do",
        "does",
        "don",
        "t",
        "s",
    ]
)


@dataclass
class _Notes:
    """What has been gathered so far."""

    values: dict[str, Any] = field(default_factory=dict)
    understood: list[tuple[str, str]] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)

    def set(self, name: str, value: Any, words: str) -> None:
        self.values[name] = value
        self.understood.append((words.strip(), name))


def read_prompt(prompt: str) -> Reading:
    """Read a prompt.

    Args:
        prompt: plain words, such as ``"the visible image is dark, the thermal one is noisy; make people stand out"``.

    Returns:
        The instruction, the words behind each of its fields, and the words that were not understood.

    >>> read_prompt("it is very foggy, and the thermal image has stripes").instruction.asked_for()
    ('visible.haze', 'infrared.stripes')
    """
    notes = _Notes()
    source = None
    rest = ""
    for clause in _CLAUSE.split(prompt.lower()):
        source = _source(clause) or source
        _read_damage(clause, source, notes)
        _read_wishes(clause, notes)
        rest += " " + clause
    if notes.objects:
        notes.values["highlight"] = notes.objects
    instruction = Instruction().with_values(notes.values)
    return Reading(prompt, instruction, tuple(notes.understood), _left_over(rest))


def _source(clause: str) -> str | None:
    named = [name for name, pattern in _SOURCES.items() if re.search(rf"\b(?:{pattern})\b", clause)]
    if "both" in clause.split() or len(named) == 2:
        return "both"
    return named[0] if named else None


def _read_damage(clause: str, source: str | None, notes: _Notes) -> None:
    for group, patterns in _DAMAGE.items():
        for name, pattern in patterns.items():
            found = re.search(rf"\b(?:{pattern})", clause)
            if not found or re.search(_NEGATION, clause):
                continue
            only_here = name not in _DAMAGE["infrared" if group == "visible" else "visible"]
            meant = source in (group, "both") or (source is None and group == "visible") or only_here
            taken = name == "noise" and group == "infrared" and re.search(r"column noise", clause)
            ambiguous = name == "low_contrast" and "washed" in found.group() and source != "infrared"
            if meant and not taken and not ambiguous:
                notes.set(f"{group}.{name}", _severity(clause), clause)


def _severity(clause: str) -> float:
    if re.search(rf"\b(?:{_WEAK})", clause):
        return SLIGHT
    return SEVERE if re.search(rf"\b(?:{_STRONG})\b", clause) else PLAIN


def _read_wishes(clause: str, notes: _Notes) -> None:
    forbidden = re.search(r"\b(?:don'?t|do not|not|never)\b", clause)
    if found := re.search(r"(more|less) (?:of the )?(infra-?red|thermal|heat|visible|colou?r image)", clause):
        thermal = found[2] not in ("visible", "color image", "colour image")
        notes.set("balance", 0.5 if thermal == (found[1] == "more") else -0.5, found[0])
    elif found := re.search(r"let the (infra-?red|thermal|heat|visible)\w* (?:image )?dominate", clause):
        notes.set("balance", (0.5 if found[1] != "visible" else -0.5) * (-1 if forbidden else 1), clause)
    if forbidden:
        return
    if found := re.search(r"(?:keep|preserve|true|natural)[a-z ]*colou?rs?", clause):
        notes.set("keep_colour", True, found[0])
    if found := re.search(r"(?:keep|preserve)[a-z ]*(?:texture|detail)s?", clause):
        notes.set("keep_texture", True, found[0])
    if re.search(rf"\b(?:{_BRING_OUT})", clause):
        for name, pattern in _OBJECTS.items():
            if found := re.search(rf"\b(?:{pattern})\b", clause):
                notes.objects.append(name)
                notes.understood.append((found[0], f"highlight: {name}"))


def _left_over(text: str) -> tuple[str, ...]:
    every = [*_SOURCES.values(), *_OBJECTS.values(), _BRING_OUT, _STRONG, _WEAK, _NEGATION]
    every += [pattern for group in _DAMAGE.values() for pattern in group.values()]
    every += [r"(?:more|less|keep|preserve|true|natural|dominate|let|contrast)", r"(?:textures?|details?|colou?rs?)"]
    text = re.sub(r"\b(?:" + "|".join(every) + r")\w*", " ", text)
    words = re.findall(r"[^\W\d_]+", text)
    return tuple(dict.fromkeys(word for word in words if word not in _FILLER))
