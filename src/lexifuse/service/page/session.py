"""What the page knows of one visitor: the pictures at work, what the controls say, and the tries so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lexifuse.instruction import Instruction
from lexifuse.service.page.understanding import Ask, Loaded, Upload, hand_after_words, moved, read_words, values_of

MOST_TRIES = 24
"""Tries that are kept."""

MOST_BYTES = 400 * 2**20
"""Of all pictures that the tries hold on to, the prompts side by side included; the oldest go first."""

SAME_MOVE_SECONDS = 2.5
"""A control that moves on within this time goes on with the same try: typing a word is one try, not five."""


@dataclass(frozen=True)
class Try:
    """Something that was tried and can be gone back to.

    Attributes:
        number: counts from 1 in a session.
        loaded: the pair.
        ask: what the controls said.
        title: it in a few words.
        file: the small picture's name in the store.
        cause: the control that was moved.
    """

    number: int
    loaded: Loaded
    ask: Ask
    title: str
    file: str
    cause: str


@dataclass(frozen=True, eq=False)
class Move:
    """Something that is to be carried out for a visitor.

    Attributes:
        turn: of the session.
        loaded: the pair.
        ask: what the controls say.
        cause: the control that was moved; None where the history has this try already.
        own: the controls said it, so that they need not be told.
        settles: the next move begins a new try.
    """

    turn: int
    loaded: Loaded
    ask: Ask
    cause: str | None = None
    own: bool = False
    settles: bool = False


@dataclass
class Session:
    """The state of one visitor; the page's handlers change it, one at a time, on the event loop.

    Attributes:
        loaded: the pair at work, if there is one.
        uploads: what the visitor brought, by ``infrared`` and ``visible``.
        notice: HTML that says why what the visitor brought is not at work, until other pictures are chosen.
        ask: what the controls said last.
        told: what the controls were told to show.
        shown: what they show, as far as it is known here: what they said last, or were told since.
        overtaken: the visitor moved on before what the controls were told was there.
        tries: the history, the latest last.
        compared: the tries of several prompts side by side.
        turn: counts the visitor's moves, so that a late answer to an earlier one can be told.
        choice: counts the pictures that were chosen, for the same: words do not take away pictures that still load.
        previewed: a move of which only a preview is shown so far.
        viewed: what the viewer was told of the latest full picture.
        viewed_pair: that it was made of, which the drop zones show.
        fusing: a visitor's full pictures are made one at a time, so that a preview finds a free worker.
    """

    loaded: Loaded | None = None
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    notice: str = ""
    ask: Ask = field(default_factory=Ask)
    told: dict[str, Any] = field(default_factory=lambda: values_of(Instruction()))
    shown: dict[str, Any] = field(default_factory=lambda: values_of(Instruction()))
    overtaken: bool = False
    tries: list[Try] = field(default_factory=list)
    compared: list[Try] = field(default_factory=list)
    current: int = 0
    turn: int = 0
    choice: int = 0
    previewed: Move | None = None
    viewed: dict[str, Any] = field(default_factory=dict)
    viewed_pair: Loaded | None = None
    fusing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _count: int = 0
    _moved_at: float = 0.0

    def begin(self) -> int:
        """Begin a move; its turn."""
        self.turn += 1
        self.previewed = None
        return self.turn

    def choose(self) -> int:
        """Begin to put other pictures on the table; the choice."""
        self.choice += 1
        self.notice = ""
        return self.choice

    def asked(
        self, words: str, automatic: bool, model: str, told: Mapping[str, Any], found: Mapping[str, Any]
    ) -> tuple[Ask, str]:
        """What the controls say now, and which of them was moved. They are taken to show what they say.

        Args:
            words: in the box.
            automatic: whether the pictures are looked at.
            model: that is chosen.
            told: what the controls had been told when they were asked. An answer may be on its way to them: what
                they do not know yet, nobody has moved.
            found: what they say.
        """
        found = {name: told[name] if value is None else value for name, value in found.items()}  # An empty box.
        # What differs from both: not what an earlier move said already, and not what is still to be shown.
        by_hand, new = dict(self.ask.by_hand), moved(self.shown, found)
        changed = {name: value for name, value in moved(told, found).items() if name in new}
        cause = next(iter(changed), "")
        if words != self.ask.words:
            by_hand = hand_after_words(by_hand, read_words(self.ask.words), read_words(words))
            cause = "words"
        elif automatic != self.ask.automatic:
            cause = "automatic"
        elif model != self.ask.model:
            cause = "model"
        self.shown, self.overtaken = found, dict(told) != self.told
        return Ask(words, automatic, model, {**by_hand, **changed}), cause

    def record(self, ask: Ask, loaded: Loaded, title: str, file: str, cause: str) -> None:
        """Add a try to the history, or go on with the latest where the same control moved on."""
        now = time.monotonic()
        latest = self.tries[-1] if self.tries else None
        same_move = (
            latest is not None and (cause, loaded) == (latest.cause, latest.loaded) and latest.number == self.current
        )
        if latest is not None and same_move and cause and now - self._moved_at < SAME_MOVE_SECONDS:
            self.tries[-1] = replace(latest, loaded=loaded, ask=ask, title=title, file=file)
        elif latest is None or (ask, loaded) != (latest.ask, latest.loaded):
            self.tries.append(self.new_try(ask, loaded, title, file, cause))
        self._moved_at = now
        self.current = self.tries[-1].number
        self._forget()

    def settle(self) -> None:
        """Let the next move begin a new try."""
        self._moved_at = 0.0

    def new_try(self, ask: Ask, loaded: Loaded, title: str, file: str, cause: str) -> Try:
        """A try with the next number."""
        self._count += 1
        return Try(self._count, loaded, ask, title, file, cause)

    def find(self, number: int) -> Try | None:
        """A try by its number, from the history or from the prompts side by side."""
        return next((one for one in (*self.tries, *self.compared) if one.number == number), None)

    def _forget(self) -> None:
        """Drop the oldest tries beyond what may be held; other pictures' prompts side by side go before them."""
        del self.tries[:-MOST_TRIES]
        while _held_bytes((*self.tries, *self.compared)) > MOST_BYTES:
            if self.compared and self.compared[0].loaded is not self.tries[-1].loaded:
                self.compared = []
            elif len(self.tries) > 1:
                del self.tries[0]
            else:
                break


def _held_bytes(tries: Iterable[Try]) -> int:
    pairs = {id(one.loaded): one.loaded.pair for one in tries}
    return sum(pair.infrared.nbytes + pair.visible.nbytes for pair in pairs.values())
