"""``lexifuse train language``: make the prompt reader."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexifuse.errors import UsageError

if TYPE_CHECKING:
    from lexifuse.training.language.trainer import Settings
    from lexifuse.training.text_encoders import TextEncoder


class EncoderName(StrEnum):
    """Text encoders that a reader can be trained on."""

    EMBEDDED = "embedded"
    MINILM = "minilm"
    CLIP = "clip"


def train_language(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: weights, lexicon, figures.")] = Path(
        "runs/language"
    ),
    text_encoder: Annotated[
        EncoderName,
        typer.Option(help="embedded: MiniLM's first layers, trained along; minilm and clip: frozen."),
    ] = EncoderName.EMBEDDED,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="embedded, minilm: folder of all-MiniLM-L6-v2; clip: checkpoint or folder.", show_default=False
        ),
    ] = None,
    architecture: Annotated[str, typer.Option(help="CLIP: open_clip's name of the model.")] = "ViT-B-32",
    download: Annotated[bool, typer.Option("--download", help="CLIP: let open_clip download the weights.")] = False,
    examples: Annotated[int, typer.Option(min=1, help="Prompts that the grammar generates.")] = 40_000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over them.")] = 1,
    initial: Annotated[
        Path | None, typer.Option(help="Go on from the reader.safetensors of an earlier run.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the corpus and of the training.")] = 0,
) -> None:
    """Train the prompt reader on generated prompts and measure it on the hand-written ones."""
    from lexifuse.training import require

    require()
    import json

    from lexifuse.files import atomic_file
    from lexifuse.language.spelling import Speller
    from lexifuse.training.language.evaluation import evaluate, network_reader
    from lexifuse.training.language.export import export_reader
    from lexifuse.training.language.prompts import hand_written
    from lexifuse.training.language.trainer import Settings, english_words, make_lexicon, train_reader

    settings = Settings(examples=examples, epochs=epochs, seed=seed)
    tokenizer = initial.parent / "tokenizer.json" if initial is not None else None
    encoder = _encoder(text_encoder, weights, architecture, download, settings, tokenizer)
    network = train_reader(encoder, settings, out, start=initial)
    if text_encoder is EncoderName.EMBEDDED:
        typer.echo(export_reader(network, out, out / "export", settings))
    read = network_reader(network, Speller(make_lexicon(seed), frozenset(english_words())))
    figures = {split: evaluate(hand_written(split), read) for split in ("validation", "test")}
    with atomic_file(out / "figures.json") as file:
        file.write(json.dumps({"text_encoder": encoder.id, **figures}, indent=1).encode())
    for style, row in figures["test"].items():
        typer.echo(f"  {style:16s} " + "  ".join(f"{name} {value:.3f}" for name, value in row.items()))


def _encoder(
    name: EncoderName,
    weights: Path | None,
    architecture: str,
    download: bool,
    settings: Settings,
    tokenizer: Path | None,
) -> TextEncoder:
    from lexifuse.training.language.trainer import embedded_encoder
    from lexifuse.training.text_encoders import BertEncoder, ClipEncoder

    if name is EncoderName.CLIP and download:
        return ClipEncoder.download(architecture)
    if weights is None:
        more = ", or --download" if name is EncoderName.CLIP else " of sentence-transformers/all-MiniLM-L6-v2"
        raise UsageError(f"--text-encoder {name} needs --weights PATH{more}")
    if name is EncoderName.CLIP:
        return ClipEncoder.from_path(weights, architecture)
    if name is EncoderName.MINILM:
        return BertEncoder.from_folder(weights).frozen()
    return embedded_encoder(weights, settings, tokenizer)
