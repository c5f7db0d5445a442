"""``lexifuse eval``: fusion metrics of models, of anybody's outputs and of the trivial fusions, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexifuse.cli.options import Json, Provider, refuse_as_folder
from lexifuse.cli.progress import progress
from lexifuse.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from lexifuse.datasets import Dataset
    from lexifuse.evaluation.cache import ResultCache
    from lexifuse.evaluation.compare import Settings
    from lexifuse.evaluation.table import Row, Table
    from lexifuse.fuser import Fuser

Names = Annotated[list[str] | None, typer.Option("--model", "-m", help="A model to measure; again for another.")]


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="LEXIFUSE_DATA", help="Folder of the data sets.", show_default=False),
    ] = None,
    dataset: Annotated[str, typer.Option("--dataset", help="Data sets in it: msrs,roadscene,tno")] = "",
    split: Annotated[str, typer.Option("--split", help="test, train or another split.")] = "test",
    pairs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--pairs", metavar="IR_DIR VIS_DIR", help="Two folders instead, paired by stem.", show_default=False
        ),
    ] = None,
    model: Names = None,
    fused: Annotated[
        list[str] | None,
        typer.Option("--fused", metavar="DIR[=LABEL]", help="Fused images of any method, named like their source."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for tables and the HTML report.", show_default=False)
    ] = None,
    metrics: Annotated[str, typer.Option("--metrics", help="More columns: CC,FMI,Nabf,PSNR,SSIM_literature")] = "",
    niqe: Annotated[
        Path | None,
        typer.Option("--niqe", metavar="FILE.npz", help="Add NIQE with these parameters.", show_default=False),
    ] = None,
    interval: Annotated[bool, typer.Option("--interval", help="Add bootstrap 95 % intervals.")] = False,
    restoration: Annotated[bool, typer.Option("--restoration", help="Measure what the words repair instead.")] = False,
    detector: Annotated[
        str,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Measure instead how well people and vehicles are found: a detector's folder, or a YOLOX .onnx file.",
        ),
    ] = "",
    words: Annotated[
        bool, typer.Option("--words", help="With --detector: also what words that point at a class do to recall.")
    ] = False,
    provider: Provider = "cpu",
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            min=0,
            help="At most this many pairs of a data set, evenly spread; 0: all. With --restoration of all; 0: 12.",
        ),
    ] = 0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compute everything again.")] = False,
    as_json: Json = False,
) -> None:
    """Measure fused images beside the trivial fusions, or what words repair.

    Example: `lexifuse eval --data DATA --dataset msrs --model compact --fused my_outputs=mine --out results`
    """
    from lexifuse.evaluation.cache import ResultCache, cache_folder

    if out is not None:
        refuse_as_folder(out)
    columns = [name for name, given in (("--metrics", metrics), ("--niqe", niqe), ("--interval", interval)) if given]
    _refuse_contradictions(detector, restoration, columns, provider, words, bool(fused), bool(model))
    datasets = _datasets(data, dataset, split, pairs)
    if detector:
        from lexifuse.cli.eval_detection import evaluate_detection

        options = {"words": words, "limit": limit, "out": out, "as_json": as_json}
        evaluate_detection(datasets, detector, model or [], fused or [], **options)  # type: ignore[arg-type]
        return
    # What another provider makes of a pair depends on the machine and its drivers.
    cache = ResultCache(None if no_cache or provider != "cpu" else cache_folder())
    if restoration:
        _restoration(datasets, _loaded(model or [], provider), cache, limit, out, as_json)
    else:
        models = _loaded(model or [], provider, none=bool(fused))
        _metrics(datasets, models, fused or [], cache, _settings(metrics, niqe, interval, limit), out, as_json)
    if cache.problem:
        typer.echo(f"note: {cache.problem}", err=True)


def _refuse_contradictions(
    detector: str, restoration: bool, columns: Sequence[str], provider: str, words: bool, fused: bool, model: bool
) -> None:
    """Raise :class:`UsageError` where an option would go unheard beside another; ``columns`` are those of the table."""
    if detector and restoration:
        raise UsageError("--detector and --restoration exclude each other: give one of them")
    if (detector or restoration) and columns:
        what = "--detector" if detector else "--restoration"
        raise UsageError(f"{what} measures something else than {columns[0]} does: give one of them")
    if detector and provider != "cpu":
        raise UsageError("--detector measures models on the CPU: leave --provider out")
    if words and not detector:
        raise UsageError("--words measures recall: name a detector with --detector")
    if words and fused and not model:
        raise UsageError("--words has models fuse anew: name one with --model")
    if restoration and fused:
        raise UsageError("--restoration asks models to repair: leave --fused out, and name models with --model")


def _datasets(data: Path | None, names: str, split: str, pairs: tuple[Path, Path] | None) -> list[Dataset]:
    from lexifuse.datasets import open_dataset, pair_folders

    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if pairs is not None:
        if wanted:
            raise UsageError("--pairs and --dataset exclude each other: give one of them")
        return [pair_folders(*pairs)]
    if data is None or not wanted:
        raise UsageError("say what to measure: --data ROOT --dataset msrs,tno, or --pairs IR_DIR VIS_DIR")
    return [open_dataset(data, name, split) for name in wanted]


def _settings(metrics: str, niqe: Path | None, interval: bool, limit: int) -> Settings:
    from lexifuse.evaluation.compare import Settings
    from lexifuse.metrics import NINE, NiqeParameters, metric_named

    more = [metric_named(name.strip()).name for name in metrics.split(",") if name.strip()]
    parameters = NiqeParameters.load(niqe) if niqe else None
    return Settings(tuple(dict.fromkeys([*NINE, *more])), parameters, interval, limit)


def _loaded(names: Sequence[str], provider: str, none: bool = False) -> list[Fuser]:
    """The models that are named; the default model where none is, unless none may be."""
    import lexifuse
    from lexifuse.models import DEFAULT_MODEL

    return [lexifuse.load(name, provider=provider) for name in names or ([] if none else [DEFAULT_MODEL])]


def _metrics(
    datasets: Sequence[Dataset],
    models: Sequence[Fuser],
    fused: Sequence[str],
    cache: ResultCache,
    settings: Settings,
    out: Path | None,
    as_json: bool,
) -> None:
    from lexifuse.evaluation.compare import compare, prepare, write_results
    from lexifuse.evaluation.methods import FusedFolder, model_method
    from lexifuse.evaluation.run import common_items
    from lexifuse.evaluation.table import to_json

    folders = [FusedFolder.parse(text, [dataset.name for dataset in datasets]) for text in fused]
    jobs, notes = prepare(datasets, folders, [model_method(fuser) for fuser in models], settings.limit)
    total = sum(len(common_items(job.dataset, job.methods)[0]) for job in jobs)
    with progress("measuring", total) as advance:
        comparisons = compare(jobs, settings, cache, advance)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if as_json:
        typer.echo(to_json([comparison.table for comparison in comparisons]), nl=False)
    else:
        for comparison in comparisons:
            _print_table(comparison.table)
    if out is not None:
        _tell(write_results(out, comparisons))


def _restoration(
    datasets: Sequence[Dataset],
    models: Sequence[Fuser],
    cache: ResultCache,
    limit: int,
    out: Path | None,
    as_json: bool,
) -> None:
    from lexifuse.evaluation.restoration import PAIRS, plan, restore, to_json, to_text
    from lexifuse.evaluation.restoration_report import make_examples, write_restoration

    items = plan(datasets, limit or PAIRS)
    results, examples = [], []
    for fuser in models:
        with progress(f"restoring with {fuser.model.name}", len(items)) as advance:
            results.append(restore(fuser, items, cache=cache, advance=advance))
        examples += make_examples(fuser, items) if out is not None else []
    typer.echo(to_json(results) if as_json else "\n".join(map(to_text, results)))
    if out is not None:
        _tell(write_restoration(out, results, examples))


def _tell(paths: Sequence[Path]) -> None:
    typer.echo(f"written to {paths[0].parent}: {', '.join(path.name for path in paths)}", err=True)


def _print_cell(row: Row, column: str, best: bool) -> Text:
    from rich.text import Text

    from lexifuse.evaluation.table import show

    text = Text(show(row.value(column), column), style="bold green" if best else "")
    if column in row.intervals:
        text.append("\n" + "–".join(show(end, column) for end in row.intervals[column]), style="dim not bold")
    return text


def _print_table(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from lexifuse.evaluation.table import RANK, heading

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a file or a pipe has no width to keep to
    columns = (*table.columns, RANK)
    best = {column: table.best(column) for column in columns}
    # As a text, not as a str, of which rich would read [names] as markup.
    title = Text(f"{table.dataset} ({table.rows[0].pairs} pairs)", style="table.title")
    shown = RichTable(title=title, title_justify="left", box=None)
    shown.add_column("method", no_wrap=True)
    for column in columns:
        shown.add_column(heading(column), justify="right")
    for row in table.rows:
        name = Text(row.label, style="italic" if row.trivial else "")
        shown.add_row(name, *(_print_cell(row, column, row.label in best[column]) for column in columns))
    console.print(shown)
    for note in table.notes:
        console.print(Text(f"  {note}", style="dim"))
    console.print()
