"""``lexifuse fuse``: two pictures, or two folders of pictures, and a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexifuse.cli.options import Json, ModelName, Provider, Settings, Threads, parse_settings
from lexifuse.errors import InputError, LexifuseError, UsageError

if TYPE_CHECKING:
    from lexifuse.cli.fuse_job import Job
    from lexifuse.datasets import PairFiles
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
            "-o", "--out", help="Output file (VISIBLE_fused.png) or, for folders, folder (fused).", show_default=False
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
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave out what is there already.")] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write what was done as JSON, and a panel beside it.", show_default=False),
    ] = None,
    as_json: Json = False,
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
    if folders != visible.is_dir():
        raise UsageError("one of the two is a folder and the other is not: give two pictures, or two folders")
    if prompts is not None and not folders:
        raise UsageError("--prompts is for folders: give the words of a single pair behind its two pictures")
    if report is not None and report.suffix.lower() != ".json":
        raise InputError(f"--report writes JSON: give it a name that ends in .json, not '{report.name}'")
    target = out or (Path("fused") if folders else Path(f"{visible.stem}_fused.png"))
    if skip_existing and not folders and target.exists():
        typer.echo(f"{target} is there already, and was left as it is (--skip-existing)", err=True)
        if as_json:
            typer.echo(json.dumps({"output": str(target), "skipped": True}))
        return
    if is_automatic(prompt):
        prompt, automatic = "", True
    own_words = read_prompts(prompts) if prompts is not None else {}
    reading = read_prompt(prompt)
    fuser = load(model, threads=threads, provider=provider)
    job = Job(fuser, reading, own_words, parse_settings(settings), automatic, resize, report)
    _tell_doubts(reading)
    if folders:
        records, failed = _fuse_folders(job, infrared, visible, target, skip_existing)
    else:
        records, failed = [_fuse_files(job, infrared, visible, target, as_json)], 0
    if report is not None:
        _write_report(report, records if folders else records[0])
    if as_json:
        typer.echo(json.dumps(records if folders else records[0]))
    if failed:
        raise typer.Exit(1)


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


def _fuse_folders(
    job: Job, infrared: Path, visible: Path, out: Path, skip_existing: bool
) -> tuple[list[dict[str, Any]], int]:
    """Fuse every pair of two folders; a bad pair is reported and the rest goes on. The records, and how many failed."""
    from rich.console import Console

    from lexifuse.datasets import pair_folders

    if out.exists() and any(out.samefile(folder) for folder in (infrared, visible)):
        raise UsageError(f"the output folder {out} is one of the input folders: choose another with -o")
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {out} is a file: choose a folder for the fused pictures with -o")
    pairs = pair_folders(infrared, visible)
    console = Console(stderr=True)
    for path in pairs.unpaired:
        console.print(f"no partner for {path}", style="yellow", highlight=False, soft_wrap=True)
    for stem in sorted(set(job.own_words) - {item.name for item in pairs.items}):
        console.print(f"no pair for the words of '{stem}'", style="yellow", highlight=False, markup=False)
    records: list[dict[str, Any]] = []
    failed = skipped = 0
    with _progress(console) as progress:
        task = progress.add_task("fusing", total=len(pairs.items))
        try:
            for item in pairs.items:
                target = out / f"{item.name}.png"
                if skip_existing and target.exists():
                    skipped += 1
                elif (record := _try(job, item, target, console)) is not None:
                    records.append(record)
                else:
                    failed += 1
                progress.advance(task)
        except KeyboardInterrupt:
            progress.stop()
            console.print(f"interrupted: {len(records)} written to {out}; go on with --skip-existing", highlight=False)
            raise
    summary = f"{len(records)} fused, {failed} failed, {skipped} skipped, written to {out}"
    console.print(summary, highlight=False, soft_wrap=True)
    return records, failed


def _try(job: Job, item: PairFiles, target: Path, console: Any) -> dict[str, Any] | None:
    try:
        done = job.run(item.infrared, item.visible, target)
    except LexifuseError as error:
        console.print(f"failed: {item.name}: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
        return None
    for note in done["notes"]:
        console.print(f"note: {item.name}: {note}", highlight=False, soft_wrap=True, markup=False)
    return done


def _progress(console: Any) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class PairsPerSecond(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f} pairs/s" if speed else "- pairs/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        PairsPerSecond(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def _write_report(path: Path, data: Any) -> None:
    from lexifuse.files import atomic_file

    with atomic_file(path) as file:
        file.write(json.dumps(data, indent=1).encode())
