"""The clauses of the training corpus: frames filled with damage words, sources and how strongly they are meant."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from lexifuse.instruction import DEGRADATIONS, PLAIN
from lexifuse.training.language.piece import Piece

_SLOT = re.compile(r"(\{\w+\})")
_LEVELS = (None, 0.3, 0.6, 0.9)
_LEVEL_WEIGHTS = (0.55, 0.17, 0.08, 0.20)
_NOISE_FIRST = 0.3
"""Share of the clauses in which noise is taken up before other degradations."""

_UNNAMED = tuple(name for name in DEGRADATIONS if name != "infrared.noise")
"""What can be meant without naming a camera; unnamed noise is the visible image's."""

FAMILIES = {
    "named": 22,
    "unnamed": 15,
    "pair_named": 8,
    "pair_unnamed": 6,
    "swap_named": 7,
    "swap_unnamed": 8,
    "clean_named": 7,
    "clean_unnamed": 7,
    "good": 4,
    "cross": 12,
    "both": 5,
    "both_clean": 2,
    "impossible": 2,
}
"""Clause families and how often they are drawn."""


@lru_cache
def load_words(name: str) -> dict[str, Any]:
    """A file of the corpus's words: ``lexicon``, ``frames``, ``wishes`` or ``nonsense``."""
    text = resources.files("lexifuse.training.language").joinpath("data", f"{name}.yaml").read_text("utf-8")
    return yaml.safe_load(text)


@dataclass
class Clause:
    """One clause under construction.

    Attributes:
        source: ``visible`` or ``infrared``, whose damage it speaks of.
        asked: degradations to repair.
        named: degradations that are only named, not to be repaired.
        severities: what the words chosen so far say of the asked ones.
        pieces: the text so far.
        both: it speaks of both sources at once.
        impossible: it names a damage that this source is not repaired for, such as a rainy infrared image.
    """

    source: str
    asked: list[str]
    named: list[str] = field(default_factory=list)
    severities: dict[str, float] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    both: bool = False
    impossible: bool = False

    @property
    def values(self) -> dict[str, float]:
        """What the clause asks for."""
        values = {name: self.severities.get(name, PLAIN) for name in self.asked}
        if self.both and "visible.noise" in values:
            values["infrared.noise"] = values["visible.noise"]
        return values


class Grammar:
    """Draws clauses about damage.

    Args:
        rng: source of chance; the same seed gives the same clauses.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lexicon = load_words("lexicon")
        self.frames = load_words("frames")

    def clause(self, family: str, used: set[str], context: str | None) -> Clause | None:
        """Draw a clause.

        Args:
            family: a key of :data:`FAMILIES`, or ``also``.
            used: degradations that the prompt has spoken of already; they are not taken up again.
            context: the source that was named last, or None.

        Returns:
            The clause, or None where nothing is left to say in this family.
        """
        clause = self._cast(family, used, context)
        if clause is None:
            return None
        family = "named" if family == "impossible" else family
        frames = [frame for frame in self.frames[family] if self._fits(frame, clause)]
        for part in _SLOT.split(self.rng.choice(frames)):
            if part.startswith("{"):
                self._fill(part[1:-1], clause)
            elif part:
                clause.pieces.append(Piece(part))
        return clause

    def _cast(self, family: str, used: set[str], context: str | None) -> Clause | None:
        """Choose what the clause is about."""
        rng = self.rng
        free = [name for name in DEGRADATIONS if name not in used]
        rng.shuffle(free)
        # Noise is the one damage that both cameras can have: whose it is takes the most practice.
        free.sort(key=lambda name: name.endswith("noise") and rng.random() < _NOISE_FIRST, reverse=True)
        source = rng.choice(("visible", "visible", "infrared"))
        if family in ("unnamed", "pair_unnamed", "swap_unnamed", "clean_unnamed"):
            fitting = [n for n in free if n in _UNNAMED and (n != "visible.noise" or context in (None, "visible"))]
            fitting = [n for n in fitting if n != "infrared.low_contrast" or context in (None, "infrared")]
            source = "visible"
        elif family == "also":
            source = context or "visible"
            fitting = [name for name in free if name.startswith(source)]
        elif family == "both":
            fitting = [n for n in free if n != "infrared.noise" and (n != "visible.noise" or "infrared.noise" in free)]
            fitting = ["visible.noise"] if "visible.noise" in fitting and rng.random() < 0.65 else fitting
        elif family in ("good", "both_clean"):
            fitting = [name for name in free if name.startswith(source)]
        else:
            source = (free[0] if rng.random() < 0.5 else rng.choice(free)).partition(".")[0] if free else source
            fitting = [name for name in free if name.startswith(source)]
        return self._roles(family, source, fitting)

    def _roles(self, family: str, source: str, fitting: list[str]) -> Clause | None:
        """Say which degradations are asked for and which are only named."""
        wanted = {"good": 0, "clean_named": 0, "clean_unnamed": 0, "both_clean": 0, "impossible": 0}.get(family, 1)
        wanted = 2 if family.startswith("pair") else wanted
        if len(fitting) < wanted:
            return None
        asked, rest = fitting[:wanted], fitting[wanted:]
        if family == "impossible":
            lacking = [name for name in DEGRADATIONS if not name.startswith(source) and not name.endswith("noise")]
            return Clause(source, [], [self.rng.choice(lacking)], impossible=True)
        needs_named = family.startswith(("swap", "clean")) or family == "both_clean"
        if needs_named and len(rest) < 2:
            return None
        return Clause(source, asked, rest[:2] if needs_named else [], both=family == "both")

    def _fits(self, frame: str, clause: Clause) -> bool:
        if clause.impossible:
            return not re.search(r"\{(q|bad|v|g|b|act|lvl)\}", frame)
        names = clause.asked + clause.named
        if "{s}" in frame or "{s2}" in frame:
            return all(self.lexicon["damage"][name]["scene"] for name in clause.asked)
        if clause.both and clause.asked and not clause.asked[0].endswith("noise"):
            return not re.search(r"\{[MO]\}", frame)
        if ("{q}" in frame or "{bad}" in frame) and "{xq}" not in frame:
            quality = self.frames["qualities"][names[0]]
            return bool(quality["names"] and quality["bad"]) and (
                "{bad}" in frame or names[0] != "visible.over_exposure"
            )
        if "{xq}" in frame and not self.frames["qualities"][clause.named[0]]["names"]:
            return False
        if "{q}" in frame and "{xq}" in frame:
            return bool(self.frames["qualities"][names[0]]["names"]) and names[0].endswith(
                ("blur", "light", "contrast")
            )
        if "{xq}" in frame:
            return bool(self.frames["qualities"][clause.named[0]]["names"])
        return True

    def _fill(self, slot: str, clause: Clause) -> None:
        """Put words into a slot and note what they ask for."""
        if slot in ("M", "m", "O", "o_", "B", "A"):
            clause.pieces.append(Piece(self._source(slot, clause)))
            return
        if slot == "good":
            clause.pieces.append(Piece(self.rng.choice(self.lexicon["good"])))
            return
        only_named = slot.startswith("x") or clause.impossible
        kind = slot.removeprefix("x")
        second = kind.endswith("2")
        kind = kind.removesuffix("2")
        pool = clause.named if only_named else clause.asked
        name = pool[1 if second and len(pool) > 1 else 0]
        text, severity = self._words(kind, name)
        fields = () if only_named else (name, "infrared.noise") if clause.both and name == "visible.noise" else (name,)
        clause.pieces.append(Piece(text, fields))
        if not only_named and severity is not None:
            clause.severities[name] = severity

    def _words(self, kind: str, name: str) -> tuple[str, float | None]:
        """Words of a kind for a degradation, and the severity they say (None: none)."""
        rng, words = self.rng, self.lexicon["damage"][name]
        level = rng.choices(_LEVELS, _LEVEL_WEIGHTS)[0]
        if kind == "a":
            if rng.random() < 0.18:
                return self._weighted(words["adj_only"])
            adverb = rng.choice(self.lexicon["severity"]["adverb"][level]) + " " if level else ""
            return adverb + rng.choice(words["adj"]), level
        if kind == "n":
            quantity = rng.choice(self.lexicon["severity"]["quantity"][level]) + " " if level else ""
            return quantity + rng.choice(words["noun"]), level
        if kind in ("act", "lvl"):
            level = level or rng.choice((0.3, 0.6, 0.9))
            return rng.choice(self.lexicon["severity"]["action" if kind == "act" else "degree"][level]), level
        if kind == "s":
            item = rng.choice(words["scene"])
            return self._weighted(item) if isinstance(item, dict) else (item, None)
        if kind == "q":
            return rng.choice(self.frames["qualities"][name]["names"]), None
        if kind == "bad":
            return self._bad(name, level)
        return rng.choice(words[{"n0": "noun", "v": "verb", "g": "gerund", "b": "bare"}[kind]]), None

    def _bad(self, name: str, level: float | None) -> tuple[str, float | None]:
        if name in ("infrared.low_contrast", "visible.low_light") and self.rng.random() < 0.3:
            return self._weighted(self.frames["none_of"])
        adverb = self.rng.choice(self.lexicon["severity"]["adverb"][level]) + " " if level else ""
        bad = str(self.rng.choice(self.frames["qualities"][name]["bad"])).partition(":")[0]
        return adverb + bad, level

    def _weighted(self, choices: dict[str, float]) -> tuple[str, float | None]:
        text = self.rng.choice(list(choices))
        return text, choices[text]

    def _source(self, slot: str, clause: Clause) -> str:
        """Name a camera: M and m the damaged one, O and o_ the other, B both, A "it"."""
        sources, rng = self.lexicon["sources"], self.rng
        if slot == "B":
            return rng.choice(sources["both"])
        if slot == "A":
            visible = all(name.startswith("visible") for name in clause.asked + clause.named)
            return rng.choice([text for text in sources["any"] if visible or not re.search("photo|shot|pic$", text)])
        source = clause.source
        if slot in ("O", "o_"):
            source = "infrared" if source == "visible" else "visible"
        with_article = slot in ("M", "O")
        if rng.random() < 0.3:
            alone = rng.choice(sources[source]["alone"])
            return alone if with_article else re.sub(r"^(the|my) ", "", alone)
        name = f"{rng.choice(sources[source]['heads'])} {rng.choice(sources['nouns'])}"
        return (
            f"{rng.choice(('the', 'the', 'the', 'the', 'my', 'our', 'this', ''))} {name}".strip()
            if with_article
            else name
        )
