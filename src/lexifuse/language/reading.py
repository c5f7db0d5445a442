"""What a prompt was understood as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lexifuse.instruction import DEGRADATIONS, Instruction, settable


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt and what it was understood as.

    Attributes:
        prompt: the words as they were given.
        instruction: what they ask for.
        understood: pairs of the user's own words and the field they set, in order.
        not_understood: words that carry a meaning but not one that is known here.
        phrases: the user's own words for each object to bring out, by object.
        corrections: pairs of a misspelt word and what it was read as.
        unsure: fields whose yes or no is less than 80 % sure, whether they are set or not.
        confidence: how sure the least sure field is, 0.5..1.
        denied: degradations that the words speak of and do not ask to repair ("no haze", "the infrared is fine").
        by_hand: degradations whose severity was set by hand, or by a number in the words ("haze 90 %"), about which
            the pixels are not asked.
    """

    prompt: str
    instruction: Instruction
    understood: tuple[tuple[str, str], ...] = ()
    not_understood: tuple[str, ...] = ()
    phrases: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[tuple[str, str], ...] = ()
    unsure: tuple[str, ...] = ()
    confidence: float = 1.0
    denied: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()

    def with_settings(self, values: Mapping[str, Any]) -> Reading:
        """The same with fields set by hand, as ``--set KEY=VALUE`` does: they have the last word.

        Args:
            values: as :meth:`lexifuse.Instruction.with_values` takes them.
        """
        names = tuple(name for name in map(settable, values) if name in DEGRADATIONS)
        by_hand = tuple(dict.fromkeys((*self.by_hand, *names)))
        return replace(self, instruction=self.instruction.with_values(values), by_hand=by_hand)

    def to_dict(self) -> dict[str, Any]:
        """The instruction's JSON form plus the account of how the words were read."""
        return {
            **self.instruction.to_dict(),
            "prompt": self.prompt,
            "in_words": str(self.instruction),
            "understood": [{"words": words, "field": name} for words, name in self.understood],
            "denied": list(self.denied),
            "not_understood": list(self.not_understood),
            "phrases": dict(self.phrases),
            "corrections": [{"word": word, "read_as": read_as} for word, read_as in self.corrections],
            "unsure": list(self.unsure),
            "confidence": round(self.confidence, 3),
        }
