"""The reader's network: any text encoder, one small transformer layer, and what each token asks for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lexifuse.language.fields import BALANCES, OUTPUTS
from lexifuse.training.text_encoders import TextEncoder

_WIDTH, _HEADS = 192, 4
_NOTHING = 3.0
"""Logit with which training starts from "nothing is asked for"."""


class ReaderHead(nn.Module):
    """Reads an instruction from token states, word by word.

    Every token says how strongly it asks for each field; a field of the prompt follows the tokens that ask loudest
    (attention-based multiple-instance learning, Ilse et al., arXiv 1802.04712, with the answer itself as attention).
    What a prompt is understood as is thereby always what some of its words say.

    Args:
        width: D of the token states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Linear(width, _WIDTH), nn.LayerNorm(_WIDTH))
        self.attention = _Attention()
        self.mix = _FeedForward()
        self.answers = nn.ModuleDict({name: nn.Linear(_WIDTH, math.prod(shape)) for name, shape in OUTPUTS.items()})
        for name in ("degradations", "balance"):
            nothing = {"degradations": 0, "balance": BALANCES.index(0.0)}[name]
            bias = torch.zeros(OUTPUTS[name])
            bias[..., nothing] = _NOTHING
            self.answers[name].bias = nn.Parameter(bias.flatten())
        for name in ("wishes", "highlight"):
            self.answers[name].bias = nn.Parameter(torch.full(OUTPUTS[name], -_NOTHING))

    def forward(self, states: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Token states (B, T, D) to logits.

        Returns:
            Each of ``OUTPUTS`` with a leading B; the same per token, (B, T, ...), under ``token.<name>``; and ``tags``
            (B, T, len(TAGS)).
        """
        bias = None if mask is None else torch.zeros(mask.shape).masked_fill(~mask, -1e4)[:, None, None, :]
        states = self.reduce(states)
        states = self.mix(self.attention(states, bias))
        tokens = {name: self.answers[name](states).view(*states.shape[:2], *shape) for name, shape in OUTPUTS.items()}
        loud = {
            "degradations": tokens["degradations"][..., 1:].logsumexp(-1) - tokens["degradations"][..., 0],
            "balance": _balance_strength(tokens["balance"]),
            "wishes": tokens["wishes"],
            "highlight": tokens["highlight"],
        }
        outputs = {f"token.{name}": value for name, value in tokens.items()}
        outputs["tags"] = torch.cat([loud["degradations"], loud["balance"], loud["wishes"], loud["highlight"]], -1)
        for name in OUTPUTS:
            strength = loud.get(name, 0.0 * tokens["meaning"])
            if mask is not None:
                strength = strength.masked_fill(~mask[..., None], -1e4)
            weights = strength.softmax(1)
            weights = weights.unsqueeze(-1) if name == "degradations" else weights
            outputs[name] = (weights * tokens[name]).sum(1)
        return outputs


def _balance_strength(logits: Tensor) -> Tensor:
    """How strongly tokens ask for any balance, (B, T, 1), from their class logits (B, T, classes)."""
    none = BALANCES.index(0.0)
    sides = torch.cat([logits[..., :none], logits[..., none + 1 :]], -1)
    return (sides.logsumexp(-1) - logits[..., none]).unsqueeze(-1)


class _Attention(nn.Module):
    """Self-attention, added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(_WIDTH, _WIDTH)
        self.key = nn.Linear(_WIDTH, _WIDTH)
        self.value = nn.Linear(_WIDTH, _WIDTH)
        self.output = nn.Linear(_WIDTH, _WIDTH)
        self.norm = nn.LayerNorm(_WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, states: Tensor, bias: Tensor | None) -> Tensor:
        def split(values: Tensor) -> Tensor:
            return values.view(values.shape[0], values.shape[1], _HEADS, _WIDTH // _HEADS).transpose(1, 2)

        scores = split(self.query(states)) @ split(self.key(states)).transpose(-1, -2) * (_WIDTH // _HEADS) ** -0.5
        weights = (scores if bias is None else scores + bias).softmax(-1)
        mixed = (weights @ split(self.value(states))).transpose(1, 2).reshape(states.shape)
        return self.norm(states + self.dropout(self.output(mixed)))


class _FeedForward(nn.Module):
    """A feed-forward network, added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(_WIDTH, 2 * _WIDTH), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * _WIDTH, _WIDTH)
        )
        self.norm = nn.LayerNorm(_WIDTH)

    def forward(self, states: Tensor) -> Tensor:
        return self.norm(states + self.layers(states))


class ReaderNetwork(nn.Module):
    """A text encoder and the head that reads instructions from its token states."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = ReaderHead(encoder.width)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Token ids (B, T) and mask (B, T) to the outputs of :class:`ReaderHead`."""
        return self.head(self.encoder(ids, mask), mask)
