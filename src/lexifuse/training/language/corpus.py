"""The generated corpus: prompts made of clauses, wishes, filling words, nonsense and slips of the keyboard."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lexifuse.training.language.grammar import FAMILIES, Grammar, load_words
from lexifuse.training.language.piece import Example, Piece
from lexifuse.training.language.wishes import Wishes

_WORD = re.compile(r"[A-Za-z]{4,}")
_AMERICAN = (
    ("colour", "color"),
    ("grey", "gray"),
    ("emphasis", "emphasiz"),
    ("favour", "favor"),
    ("defocuss", "defocus"),
    ("metre", "meter"),
)


class Corpus:
    """An endless stream of labelled prompts.

    Args:
        seed: the same seed gives the same prompts.
        strange: English words that mean nothing here, for nonsense and for filling.
    """

    def __init__(self, seed: int, strange: Sequence[str]) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - chance for a corpus, not for a secret
        self.strange = strange
        self.grammar = Grammar(self.rng)
        self.wishes = Wishes(self.rng, strange)
        self.lexicon = load_words("lexicon")

    def __iter__(self) -> Iterator[Example]:
        while True:
            yield self.draw()

    def draw(self) -> Example:
        """One prompt, as a person might type it (no spelling mistakes yet: see :func:`misspell`)."""
        dice = self.rng.random()
        if dice < 0.09:
            return Example((Piece(self._nonsense()),), {}, meaningful=False)
        if dice < 0.12:
            text = self.rng.choice(self.lexicon["filler_before"]) + self.rng.choice(self.lexicon["plain"])
            return Example((Piece(text + self.rng.choice(("", "", ".", "!", ", please", " please"))),)).rewritten(
                self._styled()
            )
        if dice < 0.14:
            return Example(tuple(self.wishes.mention())).rewritten(self._styled())
        return self._sentence().rewritten(self._styled())

    def _sentence(self) -> Example:
        rng = self.rng
        values: dict[str, Any] = {}
        used: set[str] = set()
        taken: set[str] = set()
        context: str | None = None
        pieces = [Piece(rng.choice(self.lexicon["filler_before"]) if rng.random() < 0.28 else "")]
        count = rng.choices((1, 2, 3, 4), (0.52, 0.33, 0.12, 0.03))[0]
        for index in range(count):
            if rng.random() < 0.3:
                part, asked = self.wishes.draw(taken)
                values.update(asked)
            else:
                part, context = self._clause(values, used, context, also=index > 0)
            if not part:
                continue
            if index:
                pieces.append(Piece(rng.choice(self.grammar.frames["joints"])))
            pieces += part
            if rng.random() < 0.06:
                pieces.append(Piece(" " + rng.choice(self.lexicon["contexts"])))
        if rng.random() < 0.05:
            pieces.append(
                Piece(
                    f" {rng.choice(('near the', 'with the', 'at the', 'for the', 'of the'))} {rng.choice(self.strange)}"
                )
            )
        if rng.random() < 0.03:
            pieces.append(Piece(f". {rng.choice(load_words('nonsense')['everyday'])}"))
        pieces.append(Piece(rng.choice(self.lexicon["filler_after"]) if rng.random() < 0.4 else ""))
        return Example(tuple(pieces), values)

    def _clause(
        self, values: dict[str, Any], used: set[str], context: str | None, *, also: bool
    ) -> tuple[list[Piece], str | None]:
        """A clause about damage; adds what it asks for to ``values`` and ``used``."""
        family = self.rng.choices(list(FAMILIES), list(FAMILIES.values()))[0]
        if also and context in ("visible", "infrared") and self.rng.random() < 0.2:
            family = "also"
        clause = self.grammar.clause(family, used, context)
        if clause is None:
            return [], context
        values.update(clause.values)
        used.update(clause.values, clause.named, clause.asked)
        if family in ("unnamed", "pair_unnamed", "swap_unnamed", "clean_unnamed"):
            return clause.pieces, context
        return clause.pieces, "mixed" if family in ("cross", "both", "both_clean") else clause.source

    def _nonsense(self) -> str:
        rng = self.rng
        dice = rng.random()
        everyday, foreign = (load_words("nonsense")[name] for name in ("everyday", "foreign"))
        if dice < 0.3:
            return str(rng.choice(everyday)) + rng.choice(("", "", ".", "?", "!"))
        if dice < 0.5:
            words = " ".join(rng.sample(foreign, 2)).split()
            return str(rng.choice(foreign)) if rng.random() < 0.5 else " ".join(rng.sample(words, min(len(words), 4)))
        if dice < 0.8:
            return " ".join(rng.choices(self.strange, k=rng.randint(1, 8)))
        if dice < 0.9:
            verb = rng.choice(
                (
                    "remove the",
                    "make it",
                    "show the",
                    "the image is",
                    "I want more",
                    "no",
                    "very",
                    "add a",
                    "the",
                    "please",
                )
            )
            return f"{verb} {rng.choice(self.strange)}"
        letters = "abcdefghijklmnopqrstuvwxyz"
        return " ".join("".join(rng.choices(letters, k=rng.randint(1, 7))) for _ in range(rng.randint(1, 5)))

    def _styled(self) -> Callable[[str], str]:
        """American spelling, dropped apostrophes or commas, all the same through one prompt."""
        american, bare, plain = (self.rng.random() < share for share in (0.4, 0.12, 0.12))

        def change(text: str) -> str:
            for british, spelling in _AMERICAN if american else ():
                text = (
                    text.replace(british, spelling)
                    if spelling != "emphasiz"
                    else re.sub(r"emphasis(e|i)", r"emphasiz\1", text)
                )
            text = text.replace("'", "") if bare else text
            return re.sub(r"[,;:.]", "", text) if plain else text

        return change


def misspell(text: str, rng: random.Random, share: float) -> str:
    """Text in which a share of the longer words has one slip of the keyboard."""

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() > share:
            return word
        at = rng.randint(1, len(word) - 2)
        kind = rng.randint(0, 3)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        if kind == 2:
            return word[:at] + word[at] + word[at:]
        return word[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]

    return _WORD.sub(slip, text)
