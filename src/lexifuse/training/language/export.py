"""A trained reader to the files that ship: int8 ONNX, tokenizer, lexicon and card."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexifuse.files import atomic_file, atomic_path
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language.decoding import decode
from lexifuse.language.fields import OUTPUTS
from lexifuse.language.network import ENGLISH, LEXICON, SHIPPED, TOKENIZER, LanguageNetwork
from lexifuse.language.reader import PromptReader
from lexifuse.models import CARD, find_model
from lexifuse.training.language.evaluation import evaluate, failures
from lexifuse.training.language.network import ReaderNetwork
from lexifuse.training.language.prompts import LabelledPrompt, hand_written
from lexifuse.training.language.trainer import Settings

_FILE = "reader.onnx"
_OPSET = 17
_ORIGIN = {
    "initial weights": "sentence-transformers/all-MiniLM-L6-v2, first layers, vocabulary pruned (Apache-2.0)",
    "english words": "the commoner words of pyspellchecker 0.9.1's English dictionary (MIT)",
}
_TEMPERATURES = tuple(round(0.6 + 0.1 * step, 1) for step in range(25))


class _Exported(nn.Module):
    """The reader for one prompt: ids (1, T) to all outputs and the encoder's token states."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> tuple[Tensor, ...]:
        states = self.network.encoder(ids, None)
        outputs = self.network.head(states, None)
        return (*(outputs[name] for name in OUTPUTS), outputs["tags"], states)


def export_reader(network: ReaderNetwork, run: Path, out: Path, settings: Settings) -> Path:
    """Write everything that the reader needs at run time.

    Args:
        network: trained on the embedded encoder.
        run: folder that :func:`~lexifuse.training.language.trainer.train_reader` wrote.
        out: folder to write to.
        settings: what it was trained with, for the card.

    Returns:
        The card's path. It holds figures of the validation and test prompts, measured on the exported file.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_onnx(network, out / _FILE)
    network.encoder.tokenizer.save(str(out / TOKENIZER), pretty=False)  # type: ignore[union-attr,operator]
    shutil.copyfile(run / LEXICON, out / LEXICON)
    if out.resolve() != SHIPPED.resolve():
        shutil.copyfile(SHIPPED / ENGLISH, out / ENGLISH)
    data = f"{settings.examples} prompts of the corpus grammar"
    training: dict[str, Any] = {"data": data, **_ORIGIN, "settings": asdict(settings)}
    _write_card(out, network, {**training, "temperature": 1.0}, {})
    temperature = _calibrate(LanguageNetwork(find_model(out)), hand_written("validation"))
    training = {**training, "temperature": temperature}
    _write_card(out, network, training, {})
    reader = PromptReader(LanguageNetwork(find_model(out)))
    metrics: dict[str, Any] = {"how": "hand-written prompts by style; test was neither trained nor tuned on"}
    for split in ("validation", "test"):
        metrics[split] = evaluate(hand_written(split), reader.read)
    metrics["test_failures"] = failures(hand_written("test"), reader.read)[:12]
    _write_card(out, network, training, metrics)
    return out / CARD


def _write_onnx(network: ReaderNetwork, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder, "exact.onnx"), Path(folder, "prepared.onnx")
        with warnings.catch_warnings():
            # The tracer warns that it is the older of two: the newer one needs packages that nothing else here does.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Exported(network).eval(),
                (torch.ones(1, 16, dtype=torch.long),),
                str(exact),
                input_names=["ids"],
                output_names=[*OUTPUTS, "tags", "states"],
                dynamic_axes={"ids": {1: "tokens"}, "tags": {1: "tokens"}, "states": {1: "tokens"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        quant_pre_process(exact, prepared, skip_symbolic_shape=True)
        # Seven bits: on processors without VNNI the eight-bit kernels saturate.
        with atomic_path(path) as part:
            quantize_dynamic(
                prepared,
                part,
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            )


def _calibrate(network: LanguageNetwork, prompts: Sequence[LabelledPrompt]) -> float:
    """The temperature under which the validation labels are likeliest (Guo et al. 2017, arXiv 1706.04599)."""
    reader = PromptReader(network)
    pairs = [(reader.logits(item.prompt), item) for item in prompts if item.meaningful]

    def surprise(temperature: float) -> float:
        total = 0.0
        for logits, item in pairs:
            answer = decode(logits, temperature)
            for name in DEGRADATIONS:
                right = (answer.instruction.severity(name) > 0) == (item.instruction.severity(name) > 0)
                sure = min(max(answer.certainty[name], 1e-6), 1 - 1e-6)
                total -= math.log(sure if right else 1 - sure)
        return total

    return min(_TEMPERATURES, key=surprise)


def _write_card(out: Path, network: ReaderNetwork, training: dict[str, Any], metrics: dict[str, Any]) -> None:
    sizes = {name: value.numel() for name, value in network.named_parameters()}
    per_token = sum(size for name, size in sizes.items() if "embeddings" not in name and "positions" not in name)
    card = {
        "name": "language",
        "task": "prompt reading",
        "file": _FILE,
        "sha256": hashlib.sha256((out / _FILE).read_bytes()).hexdigest(),
        "conditioning": "none",
        "conditioning_fields": [],
        "size_multiple": 1,
        "overlap": 0,
        "parameters": sum(sizes.values()),
        "gmac": round(16 * per_token / 1e9, 2),
        "licence": "Apache-2.0",
        "training": training,
        "metrics": metrics,
    }
    with atomic_file(out / CARD) as file:
        file.write((json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
