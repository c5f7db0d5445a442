"""The folders of a ``lexifuse fuse`` call: every pair is fused, failed or skipped, and a record of it says which."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
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

from lexifuse.cli.fuse_job import Job
from lexifuse.cli.options import refuse_as_folder
from lexifuse.datasets import Dataset, PairFiles, pair_folders
from lexifuse.errors import LexifuseError, UsageError
from lexifuse.images import SUFFIXES


def fuse_folders(
    job: Job, infrared: Path, visible: Path, out: Path, skip_existing: bool, records: list[dict[str, Any]]
) -> int:
    """Fuse every pair of two folders; a bad pair is reported and the rest goes on.

    Args:
        job: what to do with a pair.
        infrared: a folder.
        visible: a folder.
        out: folder of the fused pictures.
        skip_existing: leave out what is there already; what an earlier report says of it stays.
        records: takes what was done, also when this is interrupted: a record per pair that was reached, then those of
            the files that nothing can be done with.

    Returns:
        How many failed.

    Raises:
        UsageError: the output is one of the input folders, or no folder can be meant by it.
    """
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        raise UsageError(f"the output {out} is named as a picture, and two folders make many: name a folder with -o")
    refuse_as_folder(out)
    if out.exists() and any(out.samefile(folder) for folder in (infrared, visible)):
        raise UsageError(f"the output folder {out} is one of the input folders: choose another with -o")
    pairs = pair_folders(infrared, visible, go_on=True)
    console = Console(stderr=True)
    _tell_left_out(job, pairs, console)
    earlier = _earlier_records(job.report) if skip_existing else {}
    counts = Counter(failed=len(pairs.shared_stems))
    targets = [out / f"{item.name}.png" for item in pairs.items]
    try:
        with _progress(console) as progress:
            task = progress.add_task("fusing", total=len(targets))
            for item, target in zip(pairs.items, targets, strict=True):
                if skip_existing and target.exists():
                    done, record = "skipped", earlier.get(str(target), _skipped(item, target))
                else:
                    done, record = _tried(job, item, target, console)
                counts[done] += 1
                records.append(record)
                progress.advance(task)
    except KeyboardInterrupt as error:
        records += [earlier[str(target)] for target in targets[len(records) :] if str(target) in earlier]
        raise KeyboardInterrupt(f"{counts['fused']} written to {out}; go on with --skip-existing") from error
    finally:
        records += _left_out(pairs)
    summary = f"{counts['fused']} fused, {counts['failed']} failed, {counts['skipped']} skipped, written to {out}"
    _say(console, summary)
    return counts["failed"]


def _tried(job: Job, item: PairFiles, target: Path, console: Console) -> tuple[str, dict[str, Any]]:
    """Fuse one pair: whether that failed, and its record."""
    try:
        done = job.run(item.infrared, item.visible, target)
    except LexifuseError as error:
        _say(console, f"failed: {item.name}: {error}", "red")
        return "failed", _failed(item.infrared, item.visible, error)
    for note in done["notes"]:
        _say(console, f"note: {item.name}: {note}")
    return "fused", done


def _skipped(item: PairFiles, target: Path) -> dict[str, Any]:
    return {
        "infrared": str(item.infrared),
        "visible": str(item.visible),
        "output": str(target),
        "skipped": True,
    }


def _failed(infrared: Path | None, visible: Path | None, error: object) -> dict[str, Any]:
    return {
        "infrared": str(infrared) if infrared else None,
        "visible": str(visible) if visible else None,
        "output": None,
        "error": str(error),
    }


def _left_out(pairs: Dataset) -> Iterator[dict[str, Any]]:
    """Records of what was never tried."""
    for one in pairs.shared_stems:
        # Of several files of a stem nobody knows which was meant.
        first, second = (paths[0] if len(paths) == 1 else None for paths in (one.infrared, one.visible))
        yield _failed(first, second, one)
    for path in pairs.unpaired:
        yield {"unpaired": str(path)}


def _tell_left_out(job: Job, pairs: Dataset, console: Console) -> None:
    for one in pairs.shared_stems:
        _say(console, f"failed: {one.name}: {one}", "red")
    for path in pairs.unpaired:
        _say(console, f"no partner for {path}", "yellow")
    for stem in sorted(set(job.own_words) - {item.name for item in pairs.items}):
        _say(console, f"no pair for the words of '{stem}'", "yellow")


def _earlier_records(report: Path | None) -> dict[str, dict[str, Any]]:
    """What a report that is there already says, by output."""
    if report is None:
        return {}
    try:
        data = json.loads(report.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    records = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
    return {str(row["output"]): row for row in records if row.get("output")}


def _say(console: Console, line: str, style: str = "") -> None:
    """Print a line as it is: rich would read a name with brackets or colons as markup."""
    console.print(Text(line, style), soft_wrap=True)


class _PairsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        """The speed, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} pairs/s" if speed else "- pairs/s")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _PairsPerSecond(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
