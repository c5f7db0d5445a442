"""Comparisons: which pairs are measured, ranks and ties, intervals, the cache, and the files that are written."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lexifuse
from lexifuse import metrics
from lexifuse.datasets import Dataset, pair_folders
from lexifuse.errors import InputError, UsageError
from lexifuse.evaluation.cache import VARIABLE, ResultCache, cache_folder, file_hash, key
from lexifuse.evaluation.compare import Settings, compare, prepare, write_results
from lexifuse.evaluation.methods import FusedFolder, Method, Sources, folder_methods, model_method, trivial_methods
from lexifuse.evaluation.run import CHROMA, NIQE, Evaluation, evaluate
from lexifuse.evaluation.table import column_ranks, make_table, mean_ranks, to_csv, to_json, to_markdown, to_records

NAMES = tuple("abcde")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Five pairs of 48x40, in colour, with smooth parts and noise."""
    rng = np.random.default_rng(1)
    for index, name in enumerate(NAMES):
        across = np.linspace(0, 3 + index, 48) + np.linspace(0, 2, 40)[:, None]
        visible = 120 + 60 * np.sin(across)[..., None] + rng.normal(0, 12, (40, 48, 3)) + [20, 0, -20]
        infrared = 90 + 70 * (across % 1 > 0.6) + rng.normal(0, 6, (40, 48))
        for folder, picture in (("ir", infrared), ("vi", visible)):
            lexifuse.write_image(
                tmp_path / "street" / folder / f"{name}.png", np.clip(picture, 0, 255).astype(np.uint8)
            )
    return pair_folders(tmp_path / "street" / "ir", tmp_path / "street" / "vi")


def save_outputs(folder: Path, dataset: Dataset, names: tuple[str, ...] = NAMES, suffix: str = ".png") -> Path:
    """Fused images as somebody's program may have written them: the brighter pixel."""
    for item in dataset.items:
        if item.name in names:
            sources = [metrics.luma(lexifuse.read_image(path)) for path in (item.infrared, item.visible)]
            lexifuse.write_image(folder / f"{item.name}{suffix}", np.maximum(*sources))
    return folder


def table_of(**rows: tuple[float, ...]) -> Evaluation:
    """An evaluation of one pair per value given, with the columns EN and Nabf."""
    values = {label: np.array(row, float).reshape(-1, 2) for label, row in rows.items()}
    pairs = tuple(f"p{index}" for index in range(len(next(iter(values.values())))))
    return Evaluation("made", ("EN", "Nabf"), pairs, values, frozenset({"max"}), {})


# --- methods and pairs ------------------------------------------------------------------------------------------------


def test_values_are_those_of_the_metrics_and_outputs_match_by_stem(dataset: Dataset, tmp_path: Path) -> None:
    folder = save_outputs(tmp_path / "mine", dataset, suffix=".webp")
    (method,), notes = folder_methods([FusedFolder.parse(str(folder))], dataset, [dataset.name])
    result = evaluate(dataset, [method, *trivial_methods()])
    assert not notes and tuple(result.values) == ("mine", "average", "max", "laplacian", "guided filter")
    assert result.pairs == NAMES and not result.missing
    assert np.array_equal(result.values["mine"], result.values["max"])
    item = dataset.items[2]
    ir, vis = (metrics.luma(lexifuse.read_image(path)) for path in (item.infrared, item.visible))
    assert result.values["max"][2].tolist() == list(metrics.fusion_metrics(ir, vis, np.maximum(ir, vis)).values())


def test_missing_outputs_are_listed_and_the_table_is_over_the_common_pairs(dataset: Dataset, tmp_path: Path) -> None:
    folders = [
        save_outputs(tmp_path / "x", dataset, ("a", "b", "c")),
        save_outputs(tmp_path / "y", dataset, ("b", "c", "e")),
    ]
    methods, _ = folder_methods([FusedFolder.parse(str(folder)) for folder in folders], dataset, [dataset.name])
    result = evaluate(dataset, [*methods, *trivial_methods()])
    assert result.pairs == ("b", "c")
    assert result.missing == {"x": ("d", "e"), "y": ("a", "d")}
    table = make_table(result)
    assert {row.pairs for row in table.rows} == {2}
    assert "no output of 'x' for 2 pairs (d, e)" in table.notes
    assert any("every row is computed on the 2 pairs" in note for note in table.notes)


def test_outputs_that_match_nothing_are_refused_or_left_out(dataset: Dataset, tmp_path: Path) -> None:
    lexifuse.write_image(tmp_path / "other" / "z9.png", np.zeros((4, 4), np.uint8))
    option = FusedFolder.parse(f"{tmp_path / 'other'}=other")
    with pytest.raises(InputError, match=r"no output of 'other' is named like a pair of street .*'z9'"):
        folder_methods([option], dataset, [dataset.name])
    methods, notes = folder_methods([option], dataset, [dataset.name, "tno"])
    assert not methods and "its row is left out" in notes[0]


def test_other_sizes_are_refused_with_names(dataset: Dataset, tmp_path: Path) -> None:
    folder = save_outputs(tmp_path / "mine", dataset)
    for name in "bd":
        lexifuse.write_image(folder / f"{name}.png", np.zeros((20, 24), np.uint8))
    (method,), _ = folder_methods([FusedFolder.parse(str(folder))], dataset, [dataset.name])
    with pytest.raises(InputError, match=r"2 pairs .*b of 'mine': 24x20, source 48x40; d of 'mine': 24x20") as caught:
        evaluate(dataset, [method])
    assert "\n" not in str(caught.value)


def test_sixteen_bit_colour_and_constant_outputs_are_measured(dataset: Dataset) -> None:
    def deep(sources: Sources) -> np.ndarray:
        return np.maximum(sources.infrared, sources.visible).astype(np.uint16) * 257

    def colour(sources: Sources) -> np.ndarray:
        return 255 - sources.colours

    def flat(sources: Sources) -> np.ndarray:
        return np.full(sources.visible.shape, 77, np.uint8)

    methods = [Method(fuse.__name__, fuse, lambda _item: "not cached") for fuse in (deep, colour, flat)]
    result = evaluate(dataset, [*methods, *trivial_methods()])
    assert np.array_equal(result.values["deep"][:, :9], result.values["max"][:, :9])
    assert result.columns[-1] == CHROMA
    assert (result.column(CHROMA)["colour"] > 10).all() and np.isnan(result.column(CHROMA)["flat"]).all()
    assert (result.column("EN")["flat"] == 0).all()


def test_labels_must_differ(dataset: Dataset, tmp_path: Path) -> None:
    folder = save_outputs(tmp_path / "mine", dataset)
    methods, _ = folder_methods([FusedFolder.parse(f"{folder}=max")], dataset, [dataset.name])
    with pytest.raises(UsageError, match="two rows are labelled 'max'"):
        evaluate(dataset, [*methods, *trivial_methods()])


def test_fused_option_is_read_with_and_without_a_label(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "mine" / "msrs"
    folder.mkdir(parents=True)
    assert FusedFolder.parse(str(folder)).label == "msrs"
    assert FusedFolder.parse(str(folder), ["msrs"]).label == "mine"
    assert FusedFolder.parse(f"{folder}=Ours") == FusedFolder(folder, "Ours")
    (tmp_path / "a=b").mkdir()
    assert FusedFolder.parse(str(tmp_path / "a=b")).label == "a=b"
    with pytest.raises(InputError, match="is not a folder"):
        FusedFolder.parse(str(tmp_path / "nothing=Ours"))


def test_a_folder_serves_the_data_set_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "mine" / "msrs").mkdir(parents=True)
    whole, part = FusedFolder(tmp_path / "mine", "m"), FusedFolder(tmp_path / "mine" / "msrs", "m")
    assert whole.inside("msrs", ["msrs", "tno"]) == tmp_path / "mine" / "msrs"
    assert whole.inside("tno", ["msrs", "tno"]) == tmp_path / "mine"
    assert part.inside("msrs", ["msrs", "tno"]) == part.folder
    assert part.inside("tno", ["msrs", "tno"]) is None


def test_a_model_is_a_row(dataset: Dataset) -> None:
    asked = []

    def fuse(infrared: Path, visible: Path, instruction: str | None) -> SimpleNamespace:
        asked.append((infrared.name, visible.name, instruction))
        return SimpleNamespace(image=lexifuse.read_image(visible))

    fuser = SimpleNamespace(model=SimpleNamespace(name="toy", sha256="1" * 64), fuse=fuse)
    result = evaluate(dataset, [model_method(fuser, "the visible image is dark")])
    assert tuple(result.values) == ("toy",)
    assert sorted(asked)[0] == ("a.png", "a.png", "the visible image is dark")
    assert result.column(CHROMA)["toy"].tolist() == [0.0] * 5


# --- ranks, intervals -------------------------------------------------------------------------------------------------


def test_ranks_share_ties_and_put_nan_last() -> None:
    values = np.array([3.0, 5.0, 5.0, math.nan, 1.0, math.nan])
    assert column_ranks(values, "EN").tolist() == [3, 1.5, 1.5, 5.5, 4, 5.5]
    assert column_ranks(values, "Nabf").tolist() == [2, 3.5, 3.5, 5.5, 1, 5.5]


def test_mean_rank_is_over_the_nine_metrics_only() -> None:
    means = np.array([[1.0, 9.0, 0.0], [2.0, 8.0, 0.0], [3.0, 7.0, 5.0]])
    assert mean_ranks(means, ["EN", "SD", "PSNR"]).tolist() == [2.0, 2.0, 2.0]
    assert mean_ranks(means, ["EN", "PSNR", "CC"]).tolist() == [3.0, 2.0, 1.0]
    assert np.isnan(mean_ranks(means, ["CC", "PSNR", "FMI"])).all()


def test_means_leave_undefined_values_out_and_say_so() -> None:
    table = make_table(table_of(mine=(4.0, 0.2, math.nan, 0.4), max=(3.0, 0.1, 6.0, 0.1)))
    mine, trivial = table.rows
    assert mine.means["EN"] == 4.0 and trivial.means["EN"] == 4.5 and trivial.trivial
    assert table.notes == ("EN of 'mine' is undefined on 1 of 2 pairs, which are left out",)
    assert table.best("EN") == {"max"} and table.best("Nabf") == {"max"}


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        sample = rng.normal(5, 1, (30, 1))
        evaluation = Evaluation("made", ("EN",), tuple(map(str, range(30))), {"m": sample}, frozenset(), {})
        low, high = make_table(evaluation, interval=True).rows[0].intervals["EN"]
        assert low < sample.mean() < high
        covered += low < 5 < high
    assert 52 <= covered <= 60


def test_interval_of_a_constant_is_a_point() -> None:
    row = make_table(table_of(m=(4.0, 0.2, 4.0, 0.2)), interval=True).rows[0]
    assert row.intervals == {"EN": (4.0, 4.0), "Nabf": (0.2, 0.2), "mean_rank": (1.0, 1.0)}


def test_interval_is_that_of_the_mean_at_95_percent() -> None:
    """Of so many values, the bootstrap's interval is the normal one: 1.96 standard errors on either side."""
    sample = np.random.default_rng(4).normal(5, 1, (400, 1))
    evaluation = Evaluation("made", ("EN",), tuple(map(str, range(400))), {"m": sample}, frozenset(), {})
    low, high = make_table(evaluation, interval=True).rows[0].intervals["EN"]
    error = 1.96 * sample.std() / 20
    assert (low, high) == (
        pytest.approx(sample.mean() - error, abs=0.1 * error),
        pytest.approx(sample.mean() + error, abs=0.1 * error),
    )


def test_infinite_values_are_told_from_undefined_ones() -> None:
    """A fused image that equals both sources, among such that do not: every end is as the resamples have it."""
    values = {"one": [[math.inf], *[[30.0]] * 99], "most": [*[[math.inf]] * 99, [30.0]], "none": [[math.nan]] * 100}
    evaluation = Evaluation(
        "made",
        ("PSNR",),
        tuple(map(str, range(100))),
        {label: np.array(rows) for label, rows in values.items()},
        frozenset(),
        {},
    )
    table = make_table(evaluation, interval=True)
    one, most, none = table.rows
    assert one.intervals["PSNR"] == (30.0, math.inf)
    assert most.intervals["PSNR"] == (math.inf, math.inf)
    assert "PSNR" not in none.intervals
    first, _, last = json.loads(to_json([table]), parse_constant=pytest.fail)
    assert (first["PSNR"], first["interval95"]["PSNR"], last["PSNR"]) == ("inf", [30.0, "inf"], None)
    assert to_csv([table]).splitlines()[1].startswith("one,made,100,inf,")


# --- cache ------------------------------------------------------------------------------------------------------------


def counting(label: str, calls: list[str]) -> Method:
    def fuse(sources: Sources) -> np.ndarray:
        calls.append(sources.item.name)
        return sources.visible

    return Method(label, fuse, lambda _item: "constant identity")


def test_a_second_run_computes_only_what_changed(dataset: Dataset, tmp_path: Path) -> None:
    calls: list[str] = []
    cache = ResultCache(tmp_path / "cache")
    first = evaluate(dataset, [counting("m", calls)], cache=cache)
    assert sorted(calls) == list(NAMES)
    again = evaluate(dataset, [counting("renamed", calls)], cache=cache)
    assert len(calls) == 5 and np.array_equal(first.values["m"], again.values["renamed"], equal_nan=True)

    changed = np.zeros((40, 48), np.uint8)
    changed[5:20] = 200
    lexifuse.write_image(dataset.items[1].infrared, changed)
    evaluate(dataset, [counting("m", calls)], cache=cache)
    assert calls[5:] == ["b"]
    evaluate(dataset, [counting("m", calls)], cache=cache, metrics=["EN"])
    assert len(calls) == 11


def test_cache_keeps_nan_and_shrugs_off_damage(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    cache.put(key("x"), {"EN": 1.5, "VIF": math.nan})
    stored = cache.get(key("x"))
    assert stored is not None and stored["EN"] == 1.5 and math.isnan(stored["VIF"])
    (path,) = tmp_path.rglob("*.json")
    path.write_text("[1, 2")
    assert cache.get(key("x")) is None
    assert cache.get(key("y")) is None


def test_a_cache_that_cannot_be_written_costs_only_a_note(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ResultCache(tmp_path / "file")
    assert evaluate(dataset, trivial_methods(), cache=cache).pairs == NAMES
    assert "results are not kept" in cache.problem


def test_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(VARIABLE)
    assert "lexifuse" in cache_folder().parts


def test_file_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    before = file_hash(path)
    path.write_bytes(b"three")
    assert file_hash(path) != before
    with pytest.raises(InputError, match="cannot read"):
        file_hash(tmp_path / "missing")


# --- what is written --------------------------------------------------------------------------------------------------


def run_comparison(dataset: Dataset, tmp_path: Path, **settings: object) -> list:
    option = FusedFolder.parse(f"{save_outputs(tmp_path / 'mine', dataset)}=<mine & co>")
    jobs, _ = prepare([dataset], [option], [])
    return compare(jobs, Settings(**settings), ResultCache(None))  # type: ignore[arg-type]


def test_table_json_is_a_list_of_flat_rows(dataset: Dataset, tmp_path: Path) -> None:
    comparisons = run_comparison(dataset, tmp_path, interval=True)
    written = {path.name: path for path in write_results(tmp_path / "deep" / "out", comparisons)}
    rows = json.loads(written["table.json"].read_text())
    assert [row["label"] for row in rows] == ["<mine & co>", "average", "max", "laplacian", "guided filter"]
    for row in rows:
        assert row["dataset"] == "street" and row["pairs"] == 5
        assert list(row)[3:13] == [*metrics.NINE, "mean_rank"]
        assert row["interval95"]["VIF"][0] <= row["VIF"] <= row["interval95"]["VIF"][1]
    assert rows[0]["mean_rank"] == rows[2]["mean_rank"]

    with written["table.csv"].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert float(table[2]["Qabf"]) == pytest.approx(rows[2]["Qabf"], rel=1e-5)
    with written["images.csv"].open(newline="") as file:
        images = list(csv.DictReader(file))
    assert len(images) == 25
    mean = np.mean([float(image["SD"]) for image in images if image["label"] == "max"])
    assert mean == pytest.approx(rows[2]["SD"], rel=1e-4)


def test_undefined_values_are_null_empty_or_a_dash() -> None:
    table = make_table(table_of(mine=(math.nan, 0.2), max=(3.0, math.nan)))
    assert to_records([table])[0]["EN"] is None and json.loads(to_json([table]))[1]["Nabf"] is None
    assert to_csv([table]).splitlines()[1].startswith("mine,made,1,,0.2,")
    assert "| mine | – | **0.200** |" in to_markdown([table])


def test_markdown_marks_the_best_and_escapes_labels(dataset: Dataset, tmp_path: Path) -> None:
    table = run_comparison(dataset, tmp_path)[0].table
    text = to_markdown([table])
    assert "### street (5 pairs)" in text and "| *max* |" in text
    best = max(table.rows, key=lambda row: row.means["SD"])
    assert f"**{best.means['SD']:.2f}**" in text


def test_report_is_whole_self_contained_and_escaped(dataset: Dataset, tmp_path: Path) -> None:
    comparisons = run_comparison(dataset, tmp_path)
    written = write_results(tmp_path / "out", comparisons)
    html = next(path for path in written if path.name == "report.html").read_text()
    assert not re.search(r"(src|href)=(?![\"']data:)", html)
    assert "<script" not in html and "url(" not in html and "&lt;mine &amp; co&gt;" in html and "<mine" not in html
    assert html.count("<svg") == len(metrics.NINE)
    finite = sum(int(np.isfinite(values).sum()) for values in comparisons[0].evaluation.values.values())
    assert html.count("<circle") == finite > 200
    assert html.count("data:image/jpeg") == 4 * 7  # two worst and two best of five pairs, two sources and five rows
    assert html.index("The worst cases of") < html.index("The best cases of")


def test_niqe_column_needs_parameters(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("ir", "vi"):
        lexifuse.write_image(tmp_path / folder / "a.png", rng.integers(0, 256, (100, 200), np.uint8))
    dataset = pair_folders(tmp_path / "ir", tmp_path / "vi")
    parameters = metrics.NiqeParameters(np.zeros(36), np.eye(36))
    result = evaluate(dataset, trivial_methods(), metrics=["EN"], niqe_parameters=parameters)
    assert result.columns == ("EN", NIQE) and (result.column(NIQE)["average"] > 0).all()


def test_limit_spreads_over_the_common_pairs(dataset: Dataset, tmp_path: Path) -> None:
    option = FusedFolder.parse(str(save_outputs(tmp_path / "mine", dataset, ("a", "c", "d", "e"))))
    jobs, _ = prepare([dataset], [option], [], limit=2)
    assert [item.name for item in jobs[0][0].items] == ["a", "d"]


def test_a_limit_keeps_the_note_about_missing_outputs(dataset: Dataset, tmp_path: Path) -> None:
    option = FusedFolder.parse(str(save_outputs(tmp_path / "mine", dataset, ("a", "c", "d", "e"))))
    jobs, _ = prepare([dataset], [option], [], limit=2)
    (comparison,) = compare(jobs, Settings(("EN",)), ResultCache(None))
    assert comparison.evaluation.pairs == ("a", "d")
    assert "no output of 'mine' for 1 pairs (b)" in comparison.table.notes


def test_progress_is_told_per_pair(dataset: Dataset) -> None:
    steps: list[int] = []
    evaluate(dataset, trivial_methods(), metrics=["EN"], advance=lambda: steps.append(1))
    assert len(steps) == 5
