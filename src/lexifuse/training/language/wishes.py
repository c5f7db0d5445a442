"""The wishes of the training corpus: objects to bring out, balance, colours and texture, asked for or declined."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

from lexifuse.training.language.grammar import load_words
from lexifuse.training.language.piece import Piece

Wish = tuple[list[Piece], dict[str, Any]]
"""The text of a wish and the fields it sets."""

_DETERMINERS = (
    "the",
    "the",
    "the",
    "the",
    "",
    "",
    "all",
    "all the",
    "any",
    "some",
    "my",
    "those",
    "these",
    "a",
    "every",
    "two",
    "our",
)
_QUALIFIERS = (
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "hidden",
    "lost",
    "small",
    "distant",
    "moving",
    "missing",
    "nearby",
    "tiny",
    "other",
    "possible",
    "far away",
    "wounded",
)


class Wishes:
    """Draws wishes.

    Args:
        rng: source of chance.
        strange: nouns that name no known object.
    """

    def __init__(self, rng: random.Random, strange: Sequence[str]) -> None:
        self.rng = rng
        self.words = load_words("wishes")
        self.strange = strange

    def draw(self, taken: set[str]) -> Wish:
        """A wish about a field that is not in ``taken`` yet, which it is added to."""
        kinds = [
            k
            for k in ("highlight", "highlight", "highlight", "balance", "balance", "keep_colour", "keep_texture")
            if k not in taken
        ]
        if not kinds:
            return [], {}
        kind = self.rng.choice(kinds)
        taken.add(kind)
        if kind == "highlight":
            return self._highlight()
        if kind == "balance":
            return self._balance()
        declined = self.rng.random() < 0.3
        text = self.rng.choice(self.words[f"not_{kind}" if declined else kind])
        return ([Piece(text)], {}) if declined else ([Piece(text, (kind,))], {kind: True})

    def mention(self) -> list[Piece]:
        """An object that is only spoken of."""
        name = self.rng.choice(list(self.words["objects"]))
        return self._around(self.rng.choice(self.words["mention"]), [Piece(self._object(name))])

    def _highlight(self) -> Wish:
        rng = self.rng
        dice = rng.random()
        names = rng.sample(list(self.words["objects"]), rng.choices((1, 2, 3), (0.78, 0.18, 0.04))[0])
        if dice < 0.08:
            return self._around(rng.choice(self.words["bring_out"]), [Piece(f"the {rng.choice(self.strange)}")]), {}
        if dice < 0.28:
            return self._around(rng.choice(self.words["not_bring_out"]), self._objects(names, tagged=False)), {}
        pieces = self._around(rng.choice(self.words["bring_out"]), self._objects(names, tagged=True))
        if dice < 0.38:
            others = [name for name in self.words["objects"] if name not in names]
            declined = self._around(
                rng.choice(self.words["not_bring_out"]), self._objects(rng.sample(others, 1), tagged=False)
            )
            pair = [pieces, declined] if rng.random() < 0.5 else [declined, pieces]
            pieces = [*pair[0], Piece(rng.choice((", ", "; ", ", but ", " and ", ". "))), *pair[1]]
        return pieces, {"highlight": names}

    def _objects(self, names: Sequence[str], *, tagged: bool) -> list[Piece]:
        pieces: list[Piece] = []
        for index, name in enumerate(names):
            if index:
                pieces.append(Piece(" and " if index == len(names) - 1 else ", "))
            pieces.append(Piece(self._object(name), (f"highlight: {name}",) if tagged else ()))
        return pieces

    def _object(self, name: str) -> str:
        rng = self.rng
        noun = rng.choice(self.words["objects"][name])
        if re.match(r"any|some|every|what|someb|everyone|the ", noun):
            return noun
        words = (rng.choice(_DETERMINERS), rng.choice(_QUALIFIERS), noun)
        return " ".join(word for word in words if word)

    def _around(self, frame: str, objects: list[Piece]) -> list[Piece]:
        before, _, after = frame.partition("{o}")
        pieces = [Piece(before), *objects, Piece(after)]
        return [piece for piece in pieces if piece.text]

    def _balance(self) -> Wish:
        rng = self.rng
        source, rival = rng.sample(("infrared", "visible"), 2)
        names = {
            "{s}": rng.choice(self.words["lean_names"][source]),
            "{d}": rng.choice(self.words["lean_names"][rival]),
            "{s_the}": self._the(source),
            "{d_the}": self._the(rival),
        }
        declined = rng.random() < 0.15
        strength = rng.choices((0.3, 0.6, 0.9), (0.2, 0.6, 0.2))[0]
        text = rng.choice(self.words["not_lean"] if declined else self.words["lean"][strength])
        for slot, name in names.items():
            text = text.replace(slot, name)
        if declined:
            return [Piece(text)], {}
        return [Piece(text, ("balance",))], {"balance": strength if source == "infrared" else -strength}

    def _the(self, source: str) -> str:
        lexicon = load_words("lexicon")["sources"]
        if self.rng.random() < 0.3:
            return self.rng.choice(lexicon[source]["alone"])
        head = self.rng.choice(lexicon[source]["heads"])
        return f"the {head} {self.rng.choice(lexicon['nouns'])}" if self.rng.random() < 0.75 else f"the {head}"
