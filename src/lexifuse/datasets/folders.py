"""Find the pairs of a data set on disk: two folders, the project's own layout, and the layouts the authors publish."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lexifuse.errors import InputError
from lexifuse.images import SUFFIXES

_ALIASES = {
    "msrs": ("msrs",),
    "llvip": ("llvip",),
    "m3fd": ("m3fd", "m3fd_fusion", "m3fd_detection"),
    "roadscene": ("roadscene", "road-scene-infrared-visible-images"),
    "tno": ("tno", "tno_image_fusion_dataset"),
}
"""Folder names under which people have a data set; the first that exists is taken."""

_CLASSES = {
    "msrs": ("person", "bike", "car"),
    "llvip": ("person",),
    "m3fd": ("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck"),
}
"""Classes of the official labels, used where the folder has no ``classes.txt``."""

_SPLIT_LAYOUTS = (
    ("{split}/ir", "{split}/vi", "{split}/labels"),  # MSRS, and the project's own
    ("infrared/{split}", "visible/{split}", "Annotations"),  # LLVIP
)
_UNSPLIT_LAYOUTS = (
    ("cropinfrared", "crop_LR_visible", ""),  # RoadScene; its "infrared" and "visible" are not registered
    ("Ir", "Vis", "Annotation"),  # M3FD
    ("ir", "vi", "labels"),  # TNO as most papers share it
)
_UNSPLIT_NAMES = ("test", "all")
_LABEL_SUFFIXES = (".txt", ".xml")
_ARCHIVE_ENDING = re.compile(r"-(master|main)$")
_TNO_SPECTRUM = re.compile(r"(?<![a-z])(lwir|ir|vis)(?![a-z])")


@dataclass(frozen=True)
class PairFiles:
    """The files of one pair: YOLO ``.txt`` or Pascal VOC ``.xml`` labels where there are any."""

    name: str
    infrared: Path
    visible: Path
    labels: Path | None = None


@dataclass(frozen=True)
class SharedStem:
    """Files of one stem of which nobody can tell which belong together.

    Attributes:
        name: the stem.
        infrared: the infrared pictures of that stem.
        visible: the visible ones; of one of the two there are several.
    """

    name: str
    infrared: tuple[Path, ...]
    visible: tuple[Path, ...]

    def __str__(self) -> str:
        first, second = (self.infrared if len(self.infrared) > 1 else self.visible)[:2]
        return f"'{first}' and '{second}' have the same stem: move one of them away"


@dataclass(frozen=True)
class Dataset:
    """Pairs in the order of their names.

    Attributes:
        name: for tables and messages.
        items: the pairs.
        classes: names of the label classes, in the order of the YOLO class numbers.
        unpaired: pictures of either folder that have no partner.
        shared_stems: what was left out because two files of a folder share a stem.
    """

    name: str
    items: tuple[PairFiles, ...]
    classes: tuple[str, ...] = ()
    unpaired: tuple[Path, ...] = ()
    shared_stems: tuple[SharedStem, ...] = ()


def pair_folders(
    infrared_folder: str | os.PathLike[str], visible_folder: str | os.PathLike[str], *, go_on: bool = False
) -> Dataset:
    """Pair the pictures of two folders by file stem; suffixes may differ, and hidden files are left out.

    Args:
        infrared_folder: holds the infrared pictures.
        visible_folder: holds the visible ones.
        go_on: leave out what shares its stem with another file of its folder, and tell it as ``shared_stems``.

    Raises:
        InputError: a folder is missing or has no pictures, two files of a folder share a stem, or nothing pairs.
    """
    infrared_folder, visible_folder = Path(infrared_folder), Path(visible_folder)
    siblings = infrared_folder.resolve().parent == visible_folder.resolve().parent
    named_after = visible_folder.resolve().parent if siblings else visible_folder.resolve()
    return _pair(named_after.name or "pairs", infrared_folder, visible_folder, go_on=go_on)


def open_dataset(root: str | os.PathLike[str], name: str, split: str = "test") -> Dataset:
    """Find a data set below ``root`` in any of the layouts it is known in. Upper and lower case do not matter.

    =============  ==================================================================================
    project's own  ``<name>/<split>/{ir,vi}``, optional ``<name>/<split>/labels`` and ``<name>/classes.txt``
    MSRS           ``MSRS/<split>/{ir,vi}`` (train, test), ``MSRS/detection/{ir,vi,labels}``
    LLVIP          ``LLVIP/{infrared,visible}/<split>``, ``LLVIP/Annotations``
    M3FD           ``M3FD_Fusion/{Ir,Vis}`` or ``M3FD_Detection/{Ir,Vis,Annotation}``
    RoadScene      ``RoadScene/{cropinfrared,crop_LR_visible}``
    TNO            ``TNO/{ir,vi}``, or the stills of ``TNO_Image_Fusion_Dataset``: one pair per scene folder
    =============  ==================================================================================

    Args:
        root: the folder that holds the data set's folder, or that folder itself.
        name: the folder's name, or ``msrs``, ``llvip``, ``m3fd``, ``roadscene``, ``tno``.
        split: ``test``, ``train``, or another split that is there; data sets without splits take ``test`` or ``all``.

    Raises:
        InputError: there is no such folder, layout or split, or nothing in it pairs.
    """
    folder = _dataset_folder(Path(root), name)
    classes = _classes(folder, name)
    for layout in _SPLIT_LAYOUTS:
        infrared, visible, labels = (_descend(folder, part.format(split=split)) for part in layout)
        if infrared and visible:
            return _pair(name, infrared, visible, labels, classes)
    for layout in _UNSPLIT_LAYOUTS:
        infrared, visible, labels = (_descend(folder, part) for part in layout)
        if infrared and visible:
            if split not in _UNSPLIT_NAMES:
                raise InputError(f"'{folder}' is not divided into splits: ask for {' or '.join(_UNSPLIT_NAMES)}")
            return _pair(name, infrared, visible, labels, classes)
    if split in _UNSPLIT_NAMES and (scenes := _tno_scenes(folder)):
        return Dataset(name, scenes)
    raise InputError(
        f"'{folder}' has no pairs for split '{split}': expected {split}/ir and {split}/vi, "
        f"or the authors' layout; it holds {_some([item.name for item in _folders(folder)])}"
    )


def _pair(
    name: str,
    infrared: Path,
    visible: Path,
    labels: Path | None = None,
    classes: tuple[str, ...] = (),
    *,
    go_on: bool = False,
) -> Dataset:
    first, second = _pictures(infrared), _pictures(visible)
    if infrared.resolve() == visible.resolve():
        raise InputError(f"'{infrared}' is given for both spectra: give the infrared and the visible folder")
    shared = tuple(
        SharedStem(stem, tuple(first.get(stem, ())), tuple(second.get(stem, ())))
        for stem in sorted(first.keys() | second.keys())
        if len(first.get(stem, ())) > 1 or len(second.get(stem, ())) > 1
    )
    if shared and not go_on:
        raise InputError(str(shared[0]))
    left_out = {one.name for one in shared}
    common = (first.keys() & second.keys()) - left_out
    if not common and not shared:
        raise InputError(
            f"no file in '{infrared}' has the stem of one in '{visible}' "
            f"('{min(first)}' against '{min(second)}'): give the two pictures of a pair the same name"
        )
    found = _label_files(labels)
    items = tuple(PairFiles(stem, first[stem][0], second[stem][0], found.get(stem)) for stem in sorted(common))
    unpaired = tuple(
        pictures[stem][0] for pictures in (first, second) for stem in sorted(pictures.keys() - common - left_out)
    )
    return Dataset(name, items, classes, unpaired, shared)


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """Stem -> picture files."""
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder: give the folder that holds the pictures")
    pictures: dict[str, list[Path]] = {}
    for path in _entries(folder):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            pictures.setdefault(path.stem, []).append(path)
    if not pictures:
        raise InputError(f"'{folder}' holds no pictures ({', '.join(SUFFIXES)}): check the folder")
    return pictures


def _label_files(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    return {path.stem: path for path in _entries(folder) if path.suffix.lower() in _LABEL_SUFFIXES}


def _classes(folder: Path, name: str) -> tuple[str, ...]:
    listing = folder / "classes.txt"
    if listing.is_file():
        lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    known = next((key for key, aliases in _ALIASES.items() if name.lower() in aliases), "")
    return _CLASSES.get(known, ())


def _dataset_folder(root: Path, name: str) -> Path:
    """The data set's folder: below ``root``, or ``root`` itself; archives often unpack to a folder in a folder."""
    if not root.is_dir():
        raise InputError(f"'{root}' is not a folder: give the folder that holds the data sets")
    wanted = _ALIASES.get(name.lower(), (name.lower(),))
    folder = _child(root, wanted)
    if folder is None and _plain(root.resolve().name) in wanted:
        folder = root
    if folder is None:
        raise InputError(f"no data set '{name}' in '{root}': it holds {_some([item.name for item in _folders(root)])}")
    return _child(folder, wanted) or folder


def _plain(folder_name: str) -> str:
    return _ARCHIVE_ENDING.sub("", folder_name.lower())


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of ``names`` (lower case) that is a folder in ``folder``."""
    found = {_plain(item.name): item for item in _folders(folder)}
    return next((found[name] for name in names if name in found), None)


def _descend(folder: Path, relative: str) -> Path | None:
    for part in relative.split("/"):
        below = _child(folder, (part.lower(),))
        if below is None:
            return None
        folder = below
    return folder


def _tno_scenes(folder: Path) -> tuple[PairFiles, ...]:
    """Stills of the original TNO release: each scene folder with one (LW)IR and one VIS picture is a pair.

    Near infrared (NIR, II) is left out, and so are sequences and the few scenes whose names do not tell the spectrum.
    """
    items = []
    for scene in sorted(path for path in folder.rglob("*") if path.is_dir()):
        spectra: dict[str, list[Path]] = {"ir": [], "vis": []}
        for path in _entries(scene):
            spectrum = _TNO_SPECTRUM.search(path.stem.lower())
            if spectrum and path.suffix.lower() in SUFFIXES:
                spectra[spectrum[1].removeprefix("lw")].append(path)
        if len(spectra["ir"]) == len(spectra["vis"]) == 1:
            name = "-".join(scene.relative_to(folder).parts)
            items.append(PairFiles(name, spectra["ir"][0], spectra["vis"][0]))
    return tuple(items)


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "no folders"
