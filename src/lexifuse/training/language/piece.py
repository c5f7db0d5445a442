"""A labelled prompt: pieces of text, the fields each piece speaks of, and what the whole asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lexifuse.instruction import Instruction


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text and the instruction fields it sets (none for filling words)."""

    text: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt to learn from.

    Attributes:
        pieces: the text, in order.
        values: instruction fields to values, as :meth:`lexifuse.Instruction.with_values` takes them.
        meaningful: False for nonsense and for other languages.
    """

    pieces: tuple[Piece, ...]
    values: dict[str, Any] = field(default_factory=dict)
    meaningful: bool = True

    @property
    def text(self) -> str:
        """The prompt."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def instruction(self) -> Instruction:
        """The label."""
        return Instruction().with_values(self.values)

    def spans(self) -> list[tuple[int, int, str]]:
        """Start, end (characters) and field of every piece that sets a field."""
        found, position = [], 0
        for piece in self.pieces:
            end = position + len(piece.text)
            found += [(position, end, name) for name in piece.fields]
            position = end
        return found

    def rewritten(self, change: Callable[[str], str]) -> Example:
        """The same example with the text of each piece changed."""
        return replace(self, pieces=tuple(Piece(change(piece.text), piece.fields) for piece in self.pieces))
