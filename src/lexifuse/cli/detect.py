"""``lexifuse detect``: the people and vehicles in pictures, or in what an infrared and a visible picture fuse into."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexifuse.cli.options import InfraredRange, Threads, bounds_of
from lexifuse.errors import InputError, LexifuseError, UsageError

if TYPE_CHECKING:
    from lexifuse.boxes import Detection

_FORMATS = ("json", "coco", "yolo")


def detect(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... | IR VISIBLE [PROMPT]",
            help="Pictures or folders of pictures; or, with --fuse or a prompt, one pair to fuse first.",
            show_default=False,
        ),
    ],
    fuse: Annotated[bool, typer.Option("--fuse", help="IR and VISIBLE are one pair: fuse them first.")] = False,
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="A detector's name or folder, or a YOLOX .onnx file.", show_default=False),
    ] = "",
    fusion_model: Annotated[str, typer.Option("--fusion-model", help="The model that fuses a pair.")] = "compact",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Least score (default: the card's).", show_default=False),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json, coco or yolo.")] = "json",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write boxes to this file (yolo: folder).", show_default=False),
    ] = None,
    drawn: Annotated[
        Path | None,
        typer.Option(
            "--draw", help="Write the picture with its boxes: a file, or a folder for several.", show_default=False
        ),
    ] = None,
    infrared_range: InfraredRange = None,
    threads: Threads = 0,
) -> None:
    """Find people and vehicles, and print their boxes.

    Example: `lexifuse detect ir.png visible.png "make the people stand out" --draw found.png`
    """
    from lexifuse.yolox import load_any_detector

    if form not in _FORMATS:
        raise UsageError(f"--format takes {', '.join(_FORMATS)}, not '{form}'")
    pair, prompt = _pair(pictures, fuse)
    if infrared_range is not None and not pair:
        raise UsageError(
            "--infrared-range is for a pair that is fused: give an infrared and a visible picture, and --fuse"
        )
    bounds = bounds_of(infrared_range)
    paths = [Path(pictures[1])] if pair else _expanded(pictures)
    _refuse_shared_names(paths, form, into_folder=drawn is not None or (out is not None and form == "yolo"))
    targets = [] if drawn is None else [_drawing(drawn, path, len(paths) > 1) for path in paths]
    inputs = [Path(pictures[0]), *paths] if pair else paths
    _refuse_overwriting(inputs, targets if out is None or form == "yolo" else [*targets, out])
    detector = load_any_detector(model, threads=threads)
    records: list[dict[str, Any]] = []
    failed = 0
    for number, path in enumerate(paths):
        try:
            image = _fused(pictures, prompt, fusion_model, threads, bounds) if pair else _read(path)
            found = detector.detect(image, threshold)
            if targets:
                _draw(image, found, targets[number])
        except LexifuseError as error:
            if len(paths) == 1:
                raise
            typer.echo(f"failed: {path}: {error}", err=True)
            failed += 1
            continue
        size = {"width": int(image.shape[1]), "height": int(image.shape[0])}
        records.append({"image": str(path), **size, "detector": detector.name, "found": found})
    _tell(records, form, out)
    if failed:
        raise typer.Exit(1)


def _pair(pictures: list[str], fuse: bool) -> tuple[bool, str]:
    """Whether the arguments are a pair, and its words."""
    from lexifuse.images import SUFFIXES

    words = len(pictures) == 3 and not Path(pictures[2]).exists() and Path(pictures[2]).suffix.lower() not in SUFFIXES
    if fuse and len(pictures) != 2 and not words:
        raise UsageError("--fuse takes one infrared picture, one visible picture and perhaps words in quotes")
    return fuse or words, pictures[2] if words else ""


def _expanded(pictures: list[str]) -> list[Path]:
    """Files as they are, folders as the pictures in them; what is hidden is left out."""
    paths: list[Path] = []
    for path in map(Path, pictures):
        if path.is_dir():
            paths += _pictures(path)
        else:
            paths.append(path)
    return paths


def _pictures(folder: Path) -> list[Path]:
    from lexifuse.images import SUFFIXES

    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
    shown = sorted(path for path in found if not path.name.startswith("."))
    if not shown:
        raise InputError(f"'{folder}' holds no pictures ({', '.join(SUFFIXES)}): check the folder")
    return shown


def _read(path: Path) -> Any:
    from lexifuse.images import read_image
    from lexifuse.images.counts import of_full_range

    image = read_image(path)
    if image.ndim > 2:
        return image
    image, notes = of_full_range(image)
    for note in notes:
        typer.echo(f"note: {path}: {note}", err=True)
    return image


def _fused(
    pictures: list[str], prompt: str, model: str, threads: int, infrared_range: tuple[float, float] | None
) -> Any:
    from lexifuse.fuser import load

    result = load(model, threads=threads).fuse(pictures[0], pictures[1], prompt or None, infrared_range=infrared_range)
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
    return result.image


def _drawing(target: Path, source: Path, several: bool) -> Path:
    """The file for a picture with its boxes: ``target``, or one in that folder."""
    return target / f"{source.stem}.png" if several or target.is_dir() or not target.suffix else target


def _refuse_overwriting(inputs: list[Path], outputs: list[Path]) -> None:
    identities = {_identity(path) for path in inputs} - {None}
    for output in outputs:
        if _identity(output) in identities:
            raise UsageError(f"the output {output} would overwrite the picture: choose another name")


def _identity(path: Path) -> tuple[int, int] | None:
    """What all names of a file have in common; None where there is none, or none that can be reached."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _refuse_shared_names(paths: list[Path], form: str, *, into_folder: bool) -> None:
    """Pictures are told apart by their stems in a folder of outputs, and by their ids in COCO's results."""
    named: dict[str | int, Path] = {}
    for name, path in [(path.stem, path) for path in paths if into_folder] + [
        (_image_id(path), path) for path in paths if form == "coco"
    ]:
        if named.setdefault(name, path) is not path:
            raise UsageError(
                f"'{named[name]}' and '{path}' would share the name '{name}' in what is written: "
                "rename one, or look at them in two calls"
            )


def _draw(image: Any, found: list[Detection], target: Path) -> None:
    from lexifuse.boxes import draw
    from lexifuse.images import write_image

    write_image(target, draw(image, found))


def _tell(records: list[dict[str, Any]], form: str, out: Path | None) -> None:
    """Write the boxes to ``out`` and a line per picture to the screen; or the boxes to the screen."""
    from lexifuse.boxes import to_yolo
    from lexifuse.files import atomic_file

    if form == "yolo":
        for one in records:
            text = to_yolo(one["found"], one["width"], one["height"])
            if out is None:
                typer.echo(text, nl=False)
            else:
                with atomic_file(out / f"{Path(one['image']).stem}.txt") as file:
                    file.write(text.encode())
    else:
        text = json.dumps(_as_coco(records) if form == "coco" else _as_json(records))
        if out is None:
            typer.echo(text)
        else:
            with atomic_file(out) as file:
                file.write(text.encode())
    for one in records if out is not None else ():
        counts = Counter(item.label for item in one["found"])
        said = ", ".join(f"{number} {label}" for label, number in sorted(counts.items())) or "nothing"
        typer.echo(f"{one['image']}: {said}")


def _as_json(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "found": [item.to_dict() for item in one["found"]]} for one in records]


def _as_coco(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """COCO results."""
    from lexifuse.boxes import to_coco

    return [row for one in records for row in to_coco(one["found"], _image_id(Path(one["image"])))]


def _image_id(path: Path) -> int | str:
    """An image's id in COCO's results: its file's stem, as a number where it is one."""
    # Not isdigit: it takes a raised 2 for a digit, of which int makes no number.
    return int(path.stem) if path.stem.isdecimal() else path.stem
