"""``lexifuse fuse``: two pictures, or two folders of pictures, and a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexifuse.cli.options import InfraredRange, ModelName, Provider, Settings, Threads, bounds_of
from lexifuse.errors import InputError, OutputError, UsageError
from lexifuse.instruction import parse_settings

if TYPE_CHECKING:
    from lexifuse.cli.fuse_job import Job
    from lexifuse.language import Reading


def fuse(
    infrared: Annotated[Path, typer.Argument(help="The infrared picture, or a folder of them.", show_default=False)],
    visible: Annotated[
        Path, typer.Argument(help="The visible picture, or a folder (paired by file stem).", show_default=False)
    ],
    prompt: Annotated[str, typer.Argument(help="What is wrong with the pictures and what should stand out.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Output file (VISIBLE_fused.png), or a folder that is there; for folders, folder (fused).",
            show_default=False,
        ),
    ] = None,
    model: ModelName = "compact",
    settings: Settings = None,
    automatic: Annotated[
        bool, typer.Option("--auto", help="Look at the pictures for damage that the words do not speak of.")
    ] = False,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", help="Folders: a file with a line per pair: stem, tab, words.", show_default=False),
    ] = None,
    resize: Annotated[bool, typer.Option("--resize", help="Bring the infrared to the visible picture's size.")] = False,
    infrared_range: InfraredRange = None,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave out what is there already.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write what was done as JSON (folders: a record for every pair, fused or not), and panels beside it.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, the same that --report writes.")] = False,
    threads: Threads = 0,
    provider: Provider = "cpu",
) -> None:
    """Fuse an infrared and a visible picture into one, as the words ask.

    Example: `lexifuse fuse ir.png visible.png "the visible image is dark; make people stand out"`
    """
    from lexifuse.automatic import is_automatic
    from lexifuse.cli.fuse_job import Job, read_prompts
    from lexifuse.fuser import load
    from lexifuse.language import read_prompt

    folders = infrared.is_dir()
    _check_call(infrared, visible, prompts, report)
    bounds = bounds_of(infrared_range)
    target = (out or Path("fused")) if folders else _target(out, visible)
    if skip_existing and not folders and target.exists():
        typer.echo(f"{target} is there already, and was left as it is (--skip-existing)", err=True)
        if as_json:
            typer.echo(json.dumps({"output": str(target), "skipped": True}))
        return
    if is_automatic(prompt):
        prompt, automatic = "", True
    own_words = read_prompts(prompts) if prompts is not None else {}
    reading = read_prompt(prompt)
    values = parse_settings(settings or [], "--set")
    reading.with_settings(values)  # What is wrong with them is wrong for every pair: nothing is loaded or fused.
    fuser = load(model, threads=threads, provider=provider)
    job = Job(fuser, reading, own_words, values, automatic, resize, report, bounds)
    _tell_doubts(reading)
    records: list[dict[str, Any]] = []
    failed = 0
    try:
        if folders:
            from lexifuse.cli.fuse_folders import fuse_folders

            failed = fuse_folders(job, infrared, visible, target, skip_existing, records)
        else:
            records.append(_fuse_files(job, infrared, visible, target, as_json))
    finally:
        # Also of a job that was interrupted.
        if report is not None and records:
            _write_report(report, records if folders else records[0])
    if as_json:
        typer.echo(json.dumps(records if folders else records[0]))
    if failed:
        raise typer.Exit(1)


def _check_call(infrared: Path, visible: Path, prompts: Path | None, report: Path | None) -> None:
    folders = infrared.is_dir()
    if folders != visible.is_dir():
        raise UsageError("one of the two is a folder and the other is not: give two pictures, or two folders")
    if not folders and infrared.exists() and visible.exists() and infrared.samefile(visible):
        raise UsageError(f"{infrared} and {visible} are the same file: give an infrared and a visible picture")
    if prompts is not None and not folders:
        raise UsageError("--prompts is for folders: give the words of a single pair behind its two pictures")
    if report is not None and report.suffix.lower() != ".json":
        raise InputError(f"--report writes JSON: give it a name that ends in .json, not '{report.name}'")


def _target(out: Path | None, visible: Path) -> Path:
    """Where the picture of a single pair is written."""
    name = f"{visible.stem}_fused.png"
    try:
        return Path(name) if out is None else out / name if out.is_dir() else out
    except OSError as error:
        raise OutputError(f"cannot write '{out}' ({error.strerror or error}): choose another name with -o") from error


def _tell_doubts(reading: Reading) -> None:
    if reading.not_understood:
        typer.echo(f"not understood: {', '.join(reading.not_understood)}", err=True)
    if reading.corrections:
        typer.echo("read as: " + ", ".join(f"{word} -> {read_as}" for word, read_as in reading.corrections), err=True)
    if reading.unsure:
        typer.echo(f"unsure about: {', '.join(reading.unsure)} (say what you mean with --set KEY=VALUE)", err=True)


def _fuse_files(job: Job, infrared: Path, visible: Path, out: Path, quiet: bool) -> dict[str, Any]:
    from lexifuse.instruction import Instruction

    done = job.run(infrared, visible, out)
    for note in done["notes"]:
        typer.echo(f"note: {note}", err=True)
    if not quiet:
        size = f"{done['width']}x{done['height']}"
        typer.echo(f"{out}  ({size}, {1000 * done['seconds']:.0f} ms)  {Instruction.from_dict(done['carried_out'])}")
        if "panel" in done:
            typer.echo(done["panel"])
    return done


def _write_report(path: Path, data: Any) -> None:
    from lexifuse.files import atomic_file

    with atomic_file(path) as file:
        file.write(json.dumps(data, indent=1).encode())
