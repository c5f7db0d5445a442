"""What the reader's network answers: the order of its outputs and the values of its classes."""

from __future__ import annotations

from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS, PLAIN, SEVERE, SLIGHT

SEVERITIES = (0.0, SLIGHT, PLAIN, SEVERE)
"""Classes of each degradation: not asked for, slight, plain, severe."""

BALANCES = (-SEVERE, -PLAIN, -SLIGHT, 0.0, SLIGHT, PLAIN, SEVERE)
"""Classes of the balance, from the visible to the infrared image."""

WISHES = ("keep_colour", "keep_texture")

TAGS = (*DEGRADATIONS, "balance", *WISHES, *(f"highlight: {name}" for name in HIGHLIGHTS))
"""Fields that a word can ask for."""

OUTPUTS: dict[str, tuple[int, ...]] = {
    "degradations": (len(DEGRADATIONS), len(SEVERITIES)),
    "balance": (len(BALANCES),),
    "wishes": (len(WISHES),),
    "highlight": (len(HIGHLIGHTS),),
    "meaning": (1,),
}
"""The network's answers about a whole prompt and their shapes, all logits.

Beside them come ``tags`` (T, len(TAGS)), how strongly each token asks for each field, and ``states`` (T, D).
"""
