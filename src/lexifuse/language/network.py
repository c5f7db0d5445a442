"""The reader's network, embedded: tokenizer and ONNX file, loaded at the first prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import ModelError
from lexifuse.graphs import open_graph
from lexifuse.language.idioms import UNUSUAL
from lexifuse.language.spelling import Speller
from lexifuse.models import Model, find_model

SHIPPED = Path(__file__).parent.parent / "weights" / "language"
_MOST_TOKENS = 512
TOKENIZER, LEXICON, ENGLISH = "tokenizer.json", "lexicon.json", "english.txt"


class LanguageNetwork:
    """Words to the logits of every instruction field.

    Args:
        model: a folder with the ONNX file and its card, ``tokenizer.json``, ``lexicon.json`` and ``english.txt``.

    Raises:
        ModelError: a file is missing or damaged.
    """

    def __init__(self, model: Model) -> None:
        from tokenizers import Tokenizer

        self._folder = model.folder
        self._tokenizer: Any = Tokenizer.from_str(self._read(TOKENIZER))
        # The most that the network has positions for: 64 ordinary words are far fewer tokens, 64 random ones more.
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._session = open_graph(model.read(), f"model '{model.name}'", threads=1)
        self._names = [output.name for output in self._session.get_outputs()]
        self.temperature = float(model.card.training.get("temperature", 1.0))
        self.width = int(self._session.get_outputs()[self._names.index("states")].shape[-1])

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> LanguageNetwork:
        """The network inside the package, loaded once."""
        return cls(find_model(SHIPPED))

    @cached_property
    def speller(self) -> Speller:
        """Repairs misspelt words."""
        return Speller(json.loads(self._read(LEXICON)), UNUSUAL.union(self._read(ENGLISH).split()))

    def tokenize(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """Words to token ids, and the index of the word that each token belongs to (-1: none)."""
        encoding = self._tokenizer.encode(list(words), is_pretokenized=True)
        return encoding.ids, [-1 if word is None else word for word in encoding.word_ids]

    def run(self, ids: Sequence[int] | NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        """Token ids (T,) to the outputs named in :mod:`lexifuse.language.fields`, ``tags`` and ``states`` (T, D)."""
        outputs = self._session.run(None, {"ids": np.asarray(ids, np.int64)[None]})
        return {name: np.asarray(value)[0] for name, value in zip(self._names, outputs, strict=True)}

    def states(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Token states (T, D) of the embedded text encoder."""
        return self.run(ids)["states"]

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text("utf-8")
        except OSError as error:
            raise ModelError(f"the prompt reader lacks {name} in {self._folder}: install lexifuse again") from error
