"""Training of the prompt reader: generated prompts in, network and lexicon out."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from lexifuse.errors import ModelError
from lexifuse.files import atomic_file, atomic_path
from lexifuse.language.fields import BALANCES
from lexifuse.language.spelling import Speller
from lexifuse.training.language.corpus import Corpus
from lexifuse.training.language.network import ReaderNetwork
from lexifuse.training.language.samples import Batch, Sample, batches, count_words, draw_examples, make_samples
from lexifuse.training.text_encoders import BertEncoder, TextEncoder, word_piece_tokenizer

_LOG = logging.getLogger(__name__)
_TOKEN_SHARE = 0.25
"""Weight of the loss per token beside the loss per prompt."""

_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class Settings:
    """How the reader is trained.

    Attributes:
        examples: prompts that the grammar generates.
        epochs: passes over them.
        batch: prompts per step.
        head_rate: learning rate of the head.
        encoder_rate: learning rate of the encoder's layers; 0 freezes them.
        vocabulary: tokens kept of the encoder's vocabulary, for the embedded encoder.
        layers: layers kept of the encoder, for the embedded encoder.
        seed: of everything.
    """

    examples: int = 40_000
    epochs: int = 1
    batch: int = 32
    head_rate: float = 1e-3
    encoder_rate: float = 3e-4
    vocabulary: int = 9_000
    layers: int = 3
    seed: int = 0


def english_words() -> list[str]:
    """The English words that ship with the reader."""
    from lexifuse.language.network import ENGLISH, SHIPPED

    return (SHIPPED / ENGLISH).read_text("utf-8").split()


@lru_cache
def make_lexicon(seed: int) -> dict[str, int]:
    """The words that the reader knows, with how common they are."""
    return count_words(Corpus(seed + 1, ["zzz"]))


def _strange_words(lexicon: dict[str, int]) -> list[str]:
    return [word for word in english_words() if word not in lexicon]


def embedded_encoder(folder: Path, settings: Settings, tokenizer: Path | None = None) -> BertEncoder:
    """The embedded encoder before training: the first layers of MiniLM with the words that prompts need.

    Args:
        folder: of all-MiniLM-L6-v2.
        settings: how many layers and words to keep.
        tokenizer: ``tokenizer.json`` of an earlier run whose words are kept instead.
    """
    if tokenizer is None:
        keep = _needed_words(folder, settings)
    else:
        keep = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    encoder = BertEncoder.from_folder(folder, layers=settings.layers, keep=sorted(keep))
    encoder.id = "embedded"
    encoder.embeddings.requires_grad_(False)
    encoder.positions.requires_grad_(False)
    return encoder


def _needed_words(folder: Path, settings: Settings) -> set[str]:
    """Tokens of the corpus, single letters, and the commonest others."""
    try:
        vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")
    except OSError as error:
        raise ModelError(f"{folder} has no vocab.txt: give a folder of all-MiniLM-L6-v2") from error
    corpus = Corpus(settings.seed + 2, _strange_words(make_lexicon(settings.seed)))
    tokenizer = word_piece_tokenizer(vocabulary)
    keep = {*_SPECIALS, *(token for token in vocabulary if len(token.removeprefix("##")) == 1 and token.isascii())}
    for _ in range(5_000):
        keep.update(tokenizer.encode(corpus.draw().text).tokens)
    # The vocabulary is sorted by how common the tokens are: fill up with the commonest.
    common = (token for token in vocabulary if token.removeprefix("##").isalpha() and token.isascii())
    rest = [token for token in common if token not in keep]
    return keep | set(rest[: max(0, settings.vocabulary - len(keep))])


def train_reader(encoder: TextEncoder, settings: Settings, out: Path, *, start: Path | None = None) -> ReaderNetwork:
    """Train a reader and write ``reader.safetensors``, ``lexicon.json``, ``settings.json`` and ``tokenizer.json``.

    Args:
        encoder: whose token states are read; trained along where it has parameters that take a gradient.
        settings: how.
        out: folder to write to, made where it is missing.
        start: weights of an earlier run to go on from.

    Returns:
        The trained network, in evaluation mode.
    """
    torch.manual_seed(settings.seed)
    lexicon = make_lexicon(settings.seed)
    speller = Speller(lexicon, frozenset(english_words()))
    corpus = Corpus(settings.seed + 3, _strange_words(lexicon))
    examples = draw_examples(corpus, speller, settings.examples, settings.seed)
    samples = make_samples(examples, encoder)
    network = ReaderNetwork(encoder)
    if start is not None:
        network.load_state_dict(load_file(start))
    _fit(network, samples, settings)
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "lexicon.json") as file:
        file.write(json.dumps(lexicon).encode())
    if isinstance(encoder, BertEncoder):
        encoder.tokenizer.save(str(out / "tokenizer.json"))
    with atomic_file(out / "settings.json") as file:
        file.write(json.dumps({"text_encoder": encoder.id, **asdict(settings)}).encode())
    with atomic_path(out / "reader.safetensors") as part:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, part)
    return network.eval()


def _fit(network: ReaderNetwork, samples: Sequence[Sample], settings: Settings) -> None:
    body = [value for value in network.encoder.parameters() if value.requires_grad and settings.encoder_rate > 0]
    groups = [{"params": list(network.head.parameters()), "lr": settings.head_rate}]
    groups += [{"params": body, "lr": settings.encoder_rate}] if body else []
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = settings.epochs * -(-len(samples) // settings.batch)
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps + 1, pct_start=0.08)
    rng = random.Random(settings.seed)  # noqa: S311 - chance for a shuffle, not for a secret
    network.train()
    started, step, total = time.monotonic(), 0, 0.0
    for _ in range(settings.epochs):
        for batch in batches(samples, settings.batch, rng):
            loss = reader_loss(network(batch.ids, batch.mask), batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            step, total = step + 1, total + loss.item()
            if step % 50 == 0:
                _LOG.info("step %d of %d, loss %.4f, %.0f s", step, steps, total / 50, time.monotonic() - started)
                total = 0.0


def reader_loss(outputs: dict[str, Tensor], batch: Batch) -> Tensor:
    """Cross-entropy of the prompt's fields and, where the words are known, of the fields that each token asks for."""
    count = len(batch.ids)
    bits = functional.binary_cross_entropy_with_logits
    loss = functional.cross_entropy(
        outputs["degradations"].flatten(0, 1), batch.degradations.flatten(), reduction="sum"
    )
    loss = loss + functional.cross_entropy(outputs["balance"], batch.balance, reduction="sum")
    for name in ("wishes", "highlight", "meaning"):
        loss = loss + bits(outputs[name], getattr(batch, name), reduction="sum")
    if batch.tags is not None:
        loss = loss + _TOKEN_SHARE * _token_loss(outputs, batch, batch.tags)
    return loss / count


def _token_loss(outputs: dict[str, Tensor], batch: Batch, tags: Tensor) -> Tensor:
    """The same per token: what the prompt asks for where the token is marked for it, nothing elsewhere."""
    nine = batch.degradations.shape[1]
    classes = torch.where(tags[..., :nine] > 0, batch.degradations[:, None], 0)
    none = torch.full_like(batch.balance, BALANCES.index(0.0))[:, None]
    balance = torch.where(tags[..., nine] > 0, batch.balance[:, None], none)
    entropy = functional.cross_entropy
    loss = entropy(
        outputs["token.degradations"][batch.mask].flatten(0, 1), classes[batch.mask].flatten(), reduction="sum"
    )
    loss = loss + entropy(outputs["token.balance"][batch.mask], balance[batch.mask], reduction="sum")
    flags = torch.cat([outputs["token.wishes"], outputs["token.highlight"]], -1)[batch.mask]
    marked = tags[..., nine + 1 :][batch.mask]
    return loss + functional.binary_cross_entropy_with_logits(flags, marked, reduction="sum")
