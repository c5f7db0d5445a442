"""The text encoder that ships: sentences to the features that a fusion network hears, without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import ModelError
from lexifuse.language.network import LanguageNetwork
from lexifuse.language.reader import windows
from lexifuse.language.words import clean, split_words

TextEncoder = Callable[[str], NDArray[np.float32]]
"""A sentence to its features, (T, D) float32: one per token, or a single one of the whole sentence."""

_ELSEWHERE = {
    "clip": ("clip", "the weights of CLIP {} (a checkpoint or a folder of open_clip)"),
    "minilm": ("train", "all-MiniLM-L6-v2 (a folder with config.json, vocab.txt and model.safetensors)"),
}
"""Encoders that do not ship: the extra that brings what they run on, and their weights."""


def token_states(sentence: str) -> NDArray[np.float32]:
    """The states of all tokens of a sentence under the embedded encoder, (T, D); misspelt words are repaired first."""
    network = LanguageNetwork.shipped()
    words = split_words(clean(sentence))
    repaired = [network.speller.repair(word.text) if word.is_word else word.text for word in words]
    states = [network.states(network.tokenize(repaired[start:stop])[0]) for start, stop in windows(repaired)]
    return np.concatenate(states) if states else network.states(network.tokenize([])[0])


def sentence_state(sentence: str) -> NDArray[np.float32]:
    """One feature of the whole sentence, (1, D): the mean of its token states."""
    return token_states(sentence).mean(0, keepdims=True)


def open_text_encoder(identity: str, features: Sequence[str]) -> TextEncoder:
    """The encoder that a model was trained with.

    Args:
        identity: its id, such as ``embedded`` or ``clip/ViT-B-32``.
        features: what it makes of a sentence, as the card's conditioning fields say: ``tokens`` or ``sentence``.

    Raises:
        ModelError: it does not ship; the message names the extra and the weights that it needs.
    """
    name, _, variant = identity.partition("/")
    if name in _ELSEWHERE:
        extra, weights = _ELSEWHERE[name]
        raise ModelError(
            f"the text encoder '{identity}' does not ship with lexifuse: pip install 'lexifuse[{extra}]', get "
            f"{weights.format(variant)}, and hand it over as load(..., text_encoder=...), see docs/text-if.md"
        )
    found = _SHIPPED.get("".join(features)) if name == "embedded" else None
    if found is None:
        raise ModelError(f"this version has no text encoder '{identity}' as the card asks for: update lexifuse")
    return found


_SHIPPED: dict[str, TextEncoder] = {"tokens": token_states, "sentence": sentence_state}
