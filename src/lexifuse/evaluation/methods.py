"""What is measured: a label and something that gives the fused image of a pair."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lexifuse.datasets import Dataset, PairFiles
from lexifuse.errors import InputError, UsageError
from lexifuse.evaluation.cache import file_hash, fusing_code, in_full
from lexifuse.evaluation.trivial import TRIVIAL
from lexifuse.images import SUFFIXES
from lexifuse.metrics import Plane
from lexifuse.pair import read_image

TRIVIAL_VERSION = 1
"""Raised when the output of a trivial fusion changes: stored results of another version are not used."""


@dataclass(frozen=True, eq=False)
class Sources:
    """A pair that is being measured.

    Attributes:
        item: its files.
        infrared: (H, W) uint8 luma, raw counts stretched to the whole range as :func:`lexifuse.read_pair` does.
        visible: (H, W) uint8 luma.
        colours: the visible picture as its file has it, (H, W, 3) RGB or (H, W).
    """

    item: PairFiles
    infrared: Plane
    visible: Plane
    colours: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Method:
    """A row of the table.

    Attributes:
        label: its name.
        fuse: the fused image of a pair, (H, W) or (H, W, 3) RGB.
        identity: what the fused image of a pair depends on besides the two source files, for the cache.
        has: whether there is a fused image for a pair.
        trivial: one of the fusions that every method should beat.
    """

    label: str
    fuse: Callable[[Sources], NDArray[Any]]
    identity: Callable[[PairFiles], str]
    has: Callable[[PairFiles], bool] = lambda _item: True
    trivial: bool = False


def trivial_methods() -> list[Method]:
    """The trivial fusions, which are rows of every table."""

    def method(label: str, fuse: Callable[[Plane, Plane], Plane]) -> Method:
        return Method(
            label,
            fuse=lambda sources: fuse(sources.infrared, sources.visible),
            identity=lambda _item: f"trivial {label} {TRIVIAL_VERSION}",
            trivial=True,
        )

    return [method(label, fuse) for label, fuse in TRIVIAL.items()]


def model_method(fuser: Any, instruction: Any = None, label: str = "") -> Method:
    """A model of lexifuse.

    Args:
        fuser: what ``lexifuse.load`` returns.
        instruction: a prompt, words that were read or an instruction; None asks for a plain fusion.
        label: the name of the row; the model's name by default.
    """
    one_at_a_time = threading.Lock()  # the network uses all cores by itself

    def fuse(sources: Sources) -> NDArray[Any]:
        with one_at_a_time:
            return fuser.fuse(sources.item.infrared, sources.item.visible, instruction).image

    name = label or str(fuser.model.name)
    return Method(name, fuse, lambda _item: f"model {fuser.model.sha256} {in_full(instruction)} {fusing_code()}")


@dataclass(frozen=True)
class FusedFolder:
    """A ``--fused DIR[=LABEL]`` option."""

    folder: Path
    label: str

    @classmethod
    def parse(cls, text: str, datasets: Sequence[str] = ()) -> FusedFolder:
        """Read ``DIR`` or ``DIR=LABEL``.

        Without a label the folder's name is taken, or its parent's if that is the name of a data set: the label of
        ``results/mine/msrs`` is ``mine``.

        Raises:
            InputError: there is no such folder.
        """
        folder, separator, label = text.rpartition("=")
        if not separator or (not Path(folder).is_dir() and Path(text).is_dir()):
            folder, label = text, ""
        path = Path(folder)
        if not folder or not path.is_dir():
            raise InputError(f"'{folder or text}' is not a folder: write --fused DIR or --fused DIR=LABEL")
        if label.strip():
            return cls(path, label.strip())
        resolved = path.resolve()
        return cls(path, resolved.parent.name if resolved.name in datasets else resolved.name)

    def inside(self, dataset: str, datasets: Sequence[str]) -> Path | None:
        """The folder to look in for one data set.

        A subfolder of its name, else the folder itself, unless that is named after another of the data sets.
        """
        if (self.folder / dataset).is_dir():
            return self.folder / dataset
        others = {name for name in datasets if name != dataset}
        return None if self.folder.resolve().name in others else self.folder


def folder_methods(
    options: Sequence[FusedFolder], dataset: Dataset, datasets: Sequence[str]
) -> tuple[list[Method], list[str]]:
    """The rows that ``--fused`` options give for one data set; options with the same label make one row.

    Args:
        options: what the user gave.
        dataset: the pairs.
        datasets: the names of all data sets that are measured.

    Returns:
        The methods, and notes on rows that are left out since they have nothing for this data set.

    Raises:
        InputError: nothing in a folder matches the only data set.
    """
    methods: list[Method] = []
    notes: list[str] = []
    for label, some in _by_label(options).items():
        files = _outputs(some, dataset, datasets)
        if any(item.name in files for item in dataset.items):
            methods.append(_files_method(label, _of_pairs(files, dataset)))
            continue
        problem = f"no output of '{label}' is named like a pair of {dataset.name} ('{dataset.items[0].name}')"
        if len(datasets) == 1:
            raise InputError(f"{problem}, but for instance '{next(iter(files))}': name the files like their source")
        notes.append(f"{problem}: its row is left out")
    return methods, notes


def joint_folder_methods(options: Sequence[FusedFolder], datasets: Sequence[Dataset]) -> list[Method]:
    """The rows that ``--fused`` options give for several data sets at once, which may share stems.

    The output of a pair is looked for where :func:`folder_methods` looks for those of the pair's own data set.

    Raises:
        InputError: a folder has no pictures, or holds one stem twice.
    """
    names = [dataset.name for dataset in datasets]
    methods = []
    for label, some in _by_label(options).items():
        files: dict[PairFiles, Path] = {}
        for dataset in datasets:
            files |= _of_pairs(_outputs(some, dataset, names), dataset)
        methods.append(_files_method(label, files))
    return methods


def check_labels(methods: Sequence[Method]) -> None:
    """Raise :class:`UsageError` where two methods have the same label."""
    seen: set[str] = set()
    for method in methods:
        if method.label in seen:
            raise UsageError(f"two rows are labelled '{method.label}': give one another label with --fused DIR=LABEL")
        seen.add(method.label)


def _by_label(options: Sequence[FusedFolder]) -> dict[str, list[FusedFolder]]:
    labels = dict.fromkeys(option.label for option in options)
    return {label: [option for option in options if option.label == label] for label in labels}


def _outputs(options: Sequence[FusedFolder], dataset: Dataset, datasets: Sequence[str]) -> dict[str, Path]:
    """Stem -> fused image, of all the folders that serve one data set."""
    folders = [option.inside(dataset.name, datasets) for option in options]
    return _pictures(folder for folder in folders if folder)


def _of_pairs(files: Mapping[str, Path], dataset: Dataset) -> dict[PairFiles, Path]:
    return {item: files[item.name] for item in dataset.items if item.name in files}


def _files_method(label: str, files: Mapping[PairFiles, Path]) -> Method:
    return Method(
        label,
        fuse=lambda sources: read_image(files[sources.item]),
        identity=lambda item: f"file {file_hash(files[item])}",
        has=lambda item: item in files,
    )


def _pictures(folders: Iterable[Path]) -> dict[str, Path]:
    """Stem -> file, of all folders."""
    found: dict[str, Path] = {}
    for folder in folders:
        here: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
                if path.stem in here:
                    raise InputError(f"'{here[path.stem]}' and '{path}' have the same stem: move one of them away")
                here[path.stem] = path
        if not here:
            raise InputError(f"'{folder}' holds no pictures ({', '.join(SUFFIXES)}): check the folder")
        found = here | found
    return found
