"""Text encoders behind one interface: ``encode(prompts) -> (states (B, T, D), mask (B, T))``, an id and a width."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from lexifuse.errors import MissingExtraError, ModelError
from lexifuse.language.words import clean, split_words

MOST_TOKENS = 128
"""Longer prompts are cut here in training, tokens."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokens:
    """Prompts as token ids.

    Attributes:
        ids: (B, T) int64, padded with zeros.
        mask: (B, T) bool, True where there is a token.
        words: per prompt and token, the index of the word it belongs to (-1: none); None where the encoder cannot say.
    """

    ids: Tensor
    mask: Tensor
    words: list[list[int]] | None = None


class TextEncoder(nn.Module, ABC):
    """Turns prompts into token states.

    Attributes:
        id: what a checkpoint records, such as ``embedded`` or ``clip/ViT-B-32``.
        width: D, numbers per token state.
        context: tokens that it reads of a prompt; the rest is cut off.
    """

    id: str
    width: int
    context: int = MOST_TOKENS

    @abstractmethod
    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        """Prompts to padded token ids."""

    @abstractmethod
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token states (B, T, D) of ids (B, T) under a mask (B, T)."""

    def frozen(self) -> Self:
        """The encoder itself, its parameters taking no gradient."""
        return self.requires_grad_(False)

    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode prompts; of those that are longer than ``context`` a warning says so.

        Returns:
            States (B, T, D) float32 and mask (B, T) bool, True where a token is.
        """
        tokens = self.tokenize(prompts)
        for prompt, length in zip(prompts, tokens.mask.sum(-1).tolist(), strict=True):
            if length >= self.context:
                _LOG.warning(
                    "the text encoder '%s' reads %d tokens of '%.40s…' and no more: say it in fewer words",
                    self.id,
                    self.context,
                    prompt,
                )
        return self(tokens.ids, tokens.mask), tokens.mask


class _BertLayer(nn.Module):
    """One layer of BERT (arXiv 1810.04805): self-attention and a feed-forward network, normalised after each sum."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, states: Tensor, bias: Tensor | None) -> Tensor:
        batch, length, width = states.shape

        def split(values: Tensor) -> Tensor:
            return values.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

        scores = split(self.query(states)) @ split(self.key(states)).transpose(-1, -2)
        scores = scores * (width // self.heads) ** -0.5
        weights = (scores if bias is None else scores + bias).softmax(-1)
        mixed = (weights @ split(self.value(states))).transpose(1, 2).reshape(batch, length, width)
        states = self.attention_norm(states + self.output(mixed))
        return self.norm(states + self.down(functional.gelu(self.up(states))))


class BertEncoder(TextEncoder):
    """The first layers of a BERT-like sentence encoder such as all-MiniLM-L6-v2.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` that takes words split beforehand.
        vocabulary: number of token embeddings.
        width: D.
        layers: how many.
        heads: attention heads per layer.
        hidden: width of the feed-forward networks.
        identity: the encoder's id.
    """

    def __init__(
        self,
        tokenizer: Any,
        vocabulary: int,
        *,
        width: int = 384,
        layers: int = 6,
        heads: int = 12,
        hidden: int = 1536,
        identity: str = "minilm",
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.id, self.width = identity, width
        self.embeddings = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(512, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(_BertLayer(width, heads, hidden) for _ in range(layers))

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        """Prompts to padded token ids, with the word that each token belongs to."""
        encodings = [
            self.tokenizer.encode([word.text for word in split_words(clean(prompt))], is_pretokenized=True)  # type: ignore[attr-defined]
            for prompt in prompts
        ]
        ids = [encoding.ids[:MOST_TOKENS] for encoding in encodings]
        words = [[-1 if word is None else word for word in encoding.word_ids][:MOST_TOKENS] for encoding in encodings]
        return Tokens(*pad(ids), words)

    def forward(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Token states (B, T, D); without a mask every token counts."""
        states = self.embeddings(ids) + self.positions.weight[: ids.shape[1]]
        states = self.embedding_norm(states)
        bias = None if mask is None else torch.zeros(mask.shape).masked_fill(~mask, -1e4)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, bias)
        return states

    @classmethod
    def from_folder(cls, folder: Path, *, layers: int | None = None, keep: Sequence[str] | None = None) -> BertEncoder:
        """Load all-MiniLM-L6-v2 or its like from a folder with config.json, vocab.txt and model.safetensors.

        Args:
            folder: as downloaded from its publisher.
            layers: keep only the first so many.
            keep: keep only these tokens of the vocabulary.

        Raises:
            ModelError: a file is missing or does not fit.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")
            weights = load_file(folder / "model.safetensors")
            vocabulary = vocabulary[: config["vocab_size"]]
            wanted = set(vocabulary if keep is None else keep)
            kept = [token for token in vocabulary if token in wanted]
            encoder = cls(
                word_piece_tokenizer(kept),
                len(kept),
                width=config["hidden_size"],
                layers=layers or config["num_hidden_layers"],
                heads=config["num_attention_heads"],
                hidden=config["intermediate_size"],
            )
            rows = {token: row for row, token in enumerate(vocabulary)}
            encoder.load_state_dict(_renamed(weights, [rows[token] for token in kept], len(encoder.layers)))
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{folder} is not a MiniLM folder ({' '.join(str(error).split())[:120]}): it needs config.json, "
                "vocab.txt and model.safetensors of sentence-transformers/all-MiniLM-L6-v2"
            ) from error
        return encoder


def word_piece_tokenizer(vocabulary: Sequence[str]) -> Any:
    """A lower-casing WordPiece tokenizer over a vocabulary that has [PAD] first, [UNK], [CLS] and [SEP]."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))  # type: ignore[call-arg]  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    specials = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=specials)  # type: ignore[assignment]
    return tokenizer


def _renamed(weights: dict[str, Tensor], rows: Sequence[int], layers: int) -> dict[str, Tensor]:
    """The weights under the names used here; the token type, which is always 0, goes into the positions."""
    names = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm": "output.LayerNorm",
    }
    renamed = {
        "embeddings.weight": weights["embeddings.word_embeddings.weight"][list(rows)],
        "positions.weight": weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
        "embedding_norm.weight": weights["embeddings.LayerNorm.weight"],
        "embedding_norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for layer in range(layers):
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                renamed[f"layers.{layer}.{ours}.{kind}"] = weights[f"encoder.layer.{layer}.{theirs}.{kind}"]
    return renamed


class ClipEncoder(TextEncoder):
    """The text tower of a CLIP model (arXiv 2103.00020) through open_clip, frozen.

    Args:
        model: an open_clip model.
        tokenizer: its tokenizer: prompts to (B, 77) int64.
        identity: the encoder's id.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: str) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.id = identity
        self.width = int(model.ln_final.normalized_shape[0])  # type: ignore[union-attr,index,arg-type]
        self.context = int(getattr(model, "context_length", 77))

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        """Prompts to token ids; CLIP's end mark has the highest id, everything after it is padding."""
        ids = self.tokenizer([clean(prompt) for prompt in prompts])  # type: ignore[operator]
        ends = ids.argmax(-1, keepdim=True)
        mask = torch.arange(ids.shape[1])[None] <= ends
        longest = int(ends.max()) + 1
        return Tokens(ids[:, :longest], mask[:, :longest])

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG002 - CLIP's attention looks backwards only
        """Token states (B, T, D) before CLIP pools them."""
        tower, length = self.model, ids.shape[1]
        with torch.no_grad():
            states = tower.token_embedding(ids) + tower.positional_embedding[:length]  # type: ignore[operator,index]
            states = tower.transformer(states, attn_mask=tower.attn_mask[:length, :length])  # type: ignore[operator,index]
            return tower.ln_final(states).float()  # type: ignore[operator]

    @classmethod
    def from_path(cls, path: Path, architecture: str = "ViT-B-32") -> ClipEncoder:
        """Load from disk; nothing is downloaded.

        Args:
            path: a checkpoint file of ``architecture``, or a folder with ``open_clip_config.json`` and the weights; a
                ``*.txt.gz`` in that folder is its byte-pair vocabulary.
            architecture: open_clip's name, for a file.

        Raises:
            MissingExtraError: open_clip is not installed.
            ModelError: there is nothing at ``path``, or it does not fit.
        """
        if not path.exists():
            raise ModelError(f"there are no CLIP weights at {path}: give a file, a folder, or use --download")
        name = f"local-dir:{path}" if path.is_dir() else architecture
        merges = sorted(path.glob("*.txt.gz")) if path.is_dir() else []
        identity = f"clip/{path.name if path.is_dir() else architecture}"
        return cls._open(name, None if path.is_dir() else str(path), merges[0] if merges else None, identity)

    @classmethod
    def download(cls, architecture: str = "ViT-B-32", tag: str = "laion2b_s34b_b79k") -> ClipEncoder:
        """Load weights that open_clip downloads; call it only when the user asked for a download."""
        return cls._open(architecture, tag, None, f"clip/{architecture}")

    @classmethod
    def _open(cls, name: str, weights: str | None, merges: Path | None, identity: str) -> ClipEncoder:
        try:
            import open_clip  # type: ignore[import-not-found]
        except ImportError as error:
            raise MissingExtraError("the CLIP text encoder", "clip") from error
        try:
            model = open_clip.create_model(name, pretrained=weights)
            if merges is None:
                tokenizer = open_clip.get_tokenizer(name)
            else:
                length: Any = model.context_length
                tokenizer = open_clip.tokenizer.SimpleTokenizer(str(merges), context_length=length)
        except Exception as error:  # open_clip's errors share no public base class.
            raise ModelError(f"cannot load CLIP '{name}': {' '.join(str(error).split())[:160]}") from error
        return cls(model, tokenizer, identity)


class EmbeddedEncoder(TextEncoder):
    """The encoder that ships with lexifuse, frozen: token states of the prompt reader's network."""

    def __init__(self) -> None:
        super().__init__()
        from lexifuse.language.network import LanguageNetwork

        self._network = LanguageNetwork.shipped()
        self.id, self.width = "embedded", self._network.width

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        """Prompts to padded token ids, with the word that each token belongs to."""
        found = [self._network.tokenize([word.text for word in split_words(clean(prompt))]) for prompt in prompts]
        ids, words = ([row[:MOST_TOKENS] for row in rows] for rows in zip(*found, strict=True))
        return Tokens(*pad(ids), words)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token states (B, T, D), zero where the mask is False."""
        states = torch.zeros(*ids.shape, self.width)
        for row, (line, length) in enumerate(zip(ids, mask.sum(-1).tolist(), strict=True)):
            states[row, :length] = torch.from_numpy(self._network.states(line[:length].numpy()))
        return states


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of ids of different lengths to ids (B, T) and mask (B, T)."""
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[index, : len(row)] = True
    return ids, mask
