"""Find the pairs of EMS (Text-IF's data set): damaged pictures, their clean versions, and prompts, by degradation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lexifuse.datasets.folders import pair_folders
from lexifuse.errors import InputError
from lexifuse.instruction import DEGRADATIONS

_FOLDERS = ("infrared", "visible", "infrared_gt", "visible_gt")
_SPLITS = ("train", "eval", "val", "test")
_DEEPEST = 3
_INFRARED_WORDS = re.compile(r"^(ir|infrared|thermal|inf)(?![a-z])|contrast|strip")
_KEYWORDS = (
    ("low.?light|dark", "low_light"),
    ("expos", "over_exposure"),
    ("haz[ey]|fog", "haze"),
    (r"(?<![a-z])rain", "rain"),
    ("blur", "blur"),
    ("contrast", "low_contrast"),
    ("strip", "stripes"),
    ("nois", "noise"),
)


@dataclass(frozen=True)
class RestorationPair:
    """The files of one damaged pair and of its clean version; ``degradation`` is one of ``DEGRADATIONS``."""

    name: str
    degradation: str
    infrared: Path
    visible: Path
    clean_infrared: Path
    clean_visible: Path


@dataclass(frozen=True)
class RestorationDataset:
    """Damaged pairs with clean versions.

    Attributes:
        items: sorted by degradation and name.
        prompts: degradation to what users wrote about it; a degradation without prompts is left out.
        unpaired: pictures that lack one of the other three.
    """

    items: tuple[RestorationPair, ...]
    prompts: Mapping[str, tuple[str, ...]]
    unpaired: tuple[Path, ...] = ()

    @property
    def degradations(self) -> tuple[str, ...]:
        """The degradations that occur, in the order used everywhere."""
        found = {item.degradation for item in self.items}
        return tuple(name for name in DEGRADATIONS if name in found)

    def of(self, degradation: str) -> tuple[RestorationPair, ...]:
        """The pairs of one degradation."""
        return tuple(item for item in self.items if item.degradation == degradation)


def open_ems(root: str | os.PathLike[str], split: str = "train") -> RestorationDataset:
    """Find EMS-Lite, EMS-Full or a data set in their layout below ``root``. Upper and lower case do not matter.

    A degradation is a folder such as ``Low_light`` or ``IR_Stripe_noise`` that holds ``Infrared``, ``Infrared_gt``,
    ``Visible`` and ``Visible_gt``, and prompts, one a line, in ``text.txt`` or ``text/*.txt``. The split is a folder
    above it (``train/Low_light``) or in it (``Low_light/train``), or there is none. Pictures are put together by file
    stem, never by their place in a listing.

    Raises:
        InputError: there is no such folder, a degradation's name is not understood, or no pair is complete.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder: give the folder of EMS")
    items: list[RestorationPair] = []
    prompts: dict[str, tuple[str, ...]] = {}
    unpaired: list[Path] = []
    for place in _degradation_folders(folder, split):
        degradation = degradation_of(place.relative_to(folder))
        found, lonely = _pairs(place, degradation)
        items += found
        unpaired += lonely
        if lines := _prompts(place):
            prompts[degradation] = prompts.get(degradation, ()) + lines
    if not items:
        raise InputError(
            f"'{folder}' has no complete pairs for split '{split}': expected "
            f"{split}/<degradation>/Infrared, Infrared_gt, Visible and Visible_gt"
        )
    items.sort(key=lambda item: (DEGRADATIONS.index(item.degradation), item.name))
    return RestorationDataset(tuple(items), prompts, tuple(unpaired))


def degradation_of(path: Path) -> str:
    """The degradation that a folder below the root is named after.

    >>> degradation_of(Path("train/IR_Stripe_noise")), degradation_of(Path("Low_light/train"))
    ('infrared.stripes', 'visible.low_light')
    """
    for name in (part.lower() for part in reversed(path.parts) if part.lower() not in _SPLITS):
        source = "infrared" if _INFRARED_WORDS.search(name) else "visible"
        for pattern, degradation in _KEYWORDS:
            if re.search(pattern, name) and f"{source}.{degradation}" in DEGRADATIONS:
                return f"{source}.{degradation}"
    raise InputError(f"cannot tell the degradation of '{path}': name the folder like {', '.join(DEGRADATIONS)}")


def _degradation_folders(folder: Path, split: str, depth: int = 0) -> Iterator[Path]:
    """Folders that hold the four, leaving out those of other splits."""
    below = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    if all(name in below for name in _FOLDERS):
        yield folder
    elif depth < _DEEPEST:
        for name, path in below.items():
            if name not in _SPLITS or name == split.lower():
                yield from _degradation_folders(path, split, depth + 1)


def _pairs(place: Path, degradation: str) -> tuple[list[RestorationPair], list[Path]]:
    below = {path.name.lower(): path for path in place.iterdir()}
    damaged = pair_folders(below["infrared"], below["visible"])
    clean = pair_folders(below["infrared_gt"], below["visible_gt"])
    references = {item.name: item for item in clean.items}
    pairs = [
        RestorationPair(item.name, degradation, item.infrared, item.visible, match.infrared, match.visible)
        for item in damaged.items
        if (match := references.pop(item.name, None)) is not None
    ]
    complete = {pair.name for pair in pairs}
    lonely = [item.visible for item in damaged.items if item.name not in complete]
    lonely += [item.visible for item in references.values()]
    return pairs, [*damaged.unpaired, *clean.unpaired, *lonely]


def _prompts(place: Path) -> tuple[str, ...]:
    below = {path.name.lower(): path for path in sorted(place.iterdir())}
    files = [path for name, path in below.items() if name == "text.txt" and path.is_file()]
    if "text" in below and below["text"].is_dir():
        inside = sorted(below["text"].iterdir())
        files += [path for path in inside if path.suffix.lower() == ".txt" and path.is_file()]
    lines = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
    return tuple(line for line in lines if line)
