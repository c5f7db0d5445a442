"""The HTML page of a restoration run: heat maps of the gain, the table, and one damaged pair as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lexifuse.datasets import PairFiles
from lexifuse.evaluation.pages import figure, page, write_text
from lexifuse.evaluation.plots import heat_map
from lexifuse.evaluation.restoration import NONE, SEVERITIES, Restoration, cells, damage, in_words, to_json, to_text
from lexifuse.instruction import DEGRADATIONS, SEVERE
from lexifuse.metrics import luma
from lexifuse.pair import read_image, read_pair


@dataclass(frozen=True, eq=False)
class Example:
    """One kind of severe damage and what a model makes of it.

    Attributes:
        model: its name.
        pair: name of the pair.
        words: the right words.
        pictures: caption -> image.
    """

    model: str
    pair: str
    words: str
    pictures: dict[str, NDArray[Any]]


def write_restoration(folder: Path, results: Sequence[Restoration], examples: Sequence[Example] = ()) -> list[Path]:
    """Write ``restoration.json``, ``restoration.md`` and ``restoration.html``; returns their paths.

    Raises:
        OutputError: the folder cannot be written to.
    """
    contents = {
        "restoration.json": to_json(results),
        "restoration.md": "\n".join(map(to_text, results)),
        "restoration.html": render_restoration(results, examples),
    }
    return [write_text(folder / name, text) for name, text in contents.items()]


def make_examples(fuser: Any, items: Sequence[PairFiles]) -> list[Example]:
    """Every degradation at its severest on one pair: the damaged source, and its fusions beside the clean one's.

    The pair with the brightest visible picture is taken, since damage shows best there.
    """
    item = max(items, key=lambda candidate: float(luma(read_image(candidate.visible)).mean()))
    pair = read_pair(item.infrared, item.visible)
    clean = fuser.fuse_pair(pair, None).image
    examples = []
    for degradation in DEGRADATIONS:
        damaged = damage(pair, degradation, SEVERE)
        words = in_words(degradation, SEVERE)
        source = damaged.visible if degradation.startswith("visible") else damaged.infrared
        pictures = {
            f"damaged {degradation.partition('.')[0]}": source,
            "fused, no words": fuser.fuse_pair(damaged, None).image,
            "fused, right words": fuser.fuse_pair(damaged, words).image,
            "fused from the clean pair": clean,
        }
        examples.append(Example(fuser.model.name, item.name, words, pictures))
    return examples


def render_restoration(results: Sequence[Restoration], examples: Sequence[Example]) -> str:
    """The page as one HTML text without links to anything outside it."""
    body = "".join(_section(result, examples) for result in results)
    introduction = (
        "Every pair is damaged in nine ways at three severities and fused with words that name the damage, without "
        "words and with words that name another one. Compared is the 8-bit luma with the same model's plain fusion of "
        "the clean pair. A gain is the PSNR in decibels above that without words. It should be large for the right "
        "words; that of the wrong words shows how far it is the words that matter."
    )
    return page("Restoration", introduction, body)


def _section(result: Restoration, examples: Sequence[Example]) -> str:
    maps = "".join(
        heat_map(
            f"gain of {condition} in dB (mean {result.mean_gain(condition):+.2f})",
            DEGRADATIONS,
            [f"{severity:g}" for severity in SEVERITIES],
            [[result.gain(name, severity, condition) for severity in SEVERITIES] for name in DEGRADATIONS],
        )
        for condition in result.conditions
        if condition != NONE
    )
    shown = "".join(
        f'<p class="notes">“{escape(example.words)}”</p><div class="case">'
        f"{''.join(figure(caption, image) for caption, image in example.pictures.items())}</div>"
        for example in examples
        if example.model == result.model
    )
    pictures = f"<h3>Severe damage of {escape(examples[0].pair)}</h3>{shown}" if shown else ""
    return (
        f"<h2>{escape(result.model)} <small>({len(result.pairs)} pairs)</small></h2>"
        f'<div class="maps">{maps}</div><h3>PSNR in dB / SSIM</h3><div class="scroll">{_table(result)}</div>{pictures}'
    )


def _table(result: Restoration) -> str:
    names = ("degradation", "severity", *result.conditions, "gain in dB")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = []
    for degradation, severity in cells():
        means = [result.mean(degradation, severity, condition) for condition in result.conditions]
        best = max(found for found, _ in means) if len({found for found, _ in means}) > 1 else None
        values = "".join(
            f"<td{' class=best' if found == best else ''}>{found:.2f} / {similar:.3f}</td>" for found, similar in means
        )
        gain = f"{result.gain(degradation, severity):+.2f}"
        lines.append(f"<tr><td>{degradation}</td><td>{severity:g}</td>{values}<td>{gain}</td></tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
