"""The command line as a user meets it: exit codes, one-line errors, folder jobs interrupted and resumed."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lexifuse
import lexifuse.language
from lexifuse.cli import app
from lexifuse.datasets.synthetic import Scene

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``lexifuse ...`` in a fresh process, in a folder of its own."""

    def call(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lexifuse", *map(str, arguments)]
        env = {**os.environ, "COLUMNS": "200", **environment}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)

    return call


def assert_one_line(result: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    assert result.returncode == code, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for part in parts:
        assert part in result.stderr


def test_help_names_every_verb_and_imports_nothing_heavy(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0
    for verb in ("fuse", "demo", "models", "eval", "bench", "train", "export"):
        assert verb in result.stdout
    code = "import sys, lexifuse.cli; print(sorted({'numpy', 'cv2', 'torch', 'onnxruntime', 'PIL'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_version(run: Run) -> None:
    assert run("--version").stdout.strip() == f"lexifuse {lexifuse.__version__}"


def test_fuse_two_files(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    result = run("fuse", *pair_files, "the visible image is dark", "-o", "deep/down/out.png", "--report", "report.json")
    assert result.returncode == 0, result.stderr
    assert "brighten the dark visible image" in result.stdout
    assert lexifuse.read_image(tmp_path / "deep/down/out.png").shape == lexifuse.read_image(pair_files[1]).shape
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["instruction"]["visible"]["low_light"] == 0.6
    assert report["model"] == "compact"


def test_fuse_has_a_default_name_and_json(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    result = run("fuse", *pair_files, "--json", "--set", "visible.haze=0.8", "--set", "balance=-0.2")
    data = json.loads(result.stdout)
    assert data["output"] == "street_fused.png"
    assert data["instruction"]["visible"]["haze"] == 0.8
    assert data["instruction"]["balance"] == -0.2
    assert (tmp_path / "street_fused.png").is_file()


def test_settings_override_the_words(run: Run, pair_files: tuple[Path, Path]) -> None:
    result = run(
        "fuse", *pair_files, "the visible image is dark", "--json", "--set", "low_light=0", "--set", "highlight=car"
    )
    instruction = json.loads(result.stdout)["instruction"]
    assert instruction["visible"]["low_light"] == 0
    assert instruction["highlight"] == ["car"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "fog=1"], "unknown field 'fog'"),
        (["--set", "haze"], "--set takes KEY=VALUE, not 'haze'"),
        (["--set", "haze=2"], "visible.haze must be from 0 to 1, not 2"),
        (["-o", "in/street.png"], "is one of the inputs: choose another with -o"),
    ],
)
def test_wrong_calls_leave_with_2(run: Run, pair_files: tuple[Path, Path], arguments: list[str], message: str) -> None:
    before = pair_files[1].read_bytes()
    assert_one_line(run("fuse", *pair_files, *arguments), 2, message)
    assert pair_files[1].read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["fuse", "ir.png"], ("lexifuse fuse: Missing argument 'visible'", "`lexifuse fuse --help`")),
        (["fuse", "ir.png", "vi.png", "it", "is", "foggy"], ("(is foggy)", "goes in quotes")),
        (["demo", "--seed", "-1"], ("lexifuse demo: Invalid value for '--seed'",)),
        (["abacus"], ("No such command 'abacus'",)),
    ],
)
def test_what_the_parser_cannot_read_is_one_line(run: Run, arguments: list[str], parts: tuple[str, ...]) -> None:
    assert_one_line(run(*arguments), 2, *parts)


def test_the_word_auto_asks_the_pixels(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    for words, name in (("auto", "word.png"), ("--auto", "option.png")):
        result = run("fuse", *pair_files, words, "-o", name)
        assert result.returncode == 0 and "not understood" not in result.stderr
    assert (tmp_path / "word.png").read_bytes() == (tmp_path / "option.png").read_bytes()


def test_a_picture_that_is_there_already_may_be_left_as_it_is(
    run: Run, tmp_path: Path, pair_files: tuple[Path, Path]
) -> None:
    (tmp_path / "there.png").write_text("mine")
    assert_one_line(run("fuse", *pair_files, "-o", "there.png", "--skip-existing"), 0, "is there already")
    assert (tmp_path / "there.png").read_text() == "mine"
    told = run("fuse", *pair_files, "-o", "there.png", "--skip-existing", "--json")
    assert json.loads(told.stdout) == {"output": "there.png", "skipped": True}


def test_a_format_that_cannot_hold_the_picture_is_told(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    deep = tmp_path / "deep.png"
    lexifuse.write_image(deep, lexifuse.read_image(pair_files[1]).astype(np.uint16) * 257)
    assert (
        "note: JPEG holds 8-bit pictures, and this one is 16-bit"
        in run("fuse", pair_files[0], deep, "-o", "a.jpg").stderr
    )
    assert "holds" not in run("fuse", pair_files[0], deep, "-o", "a.png").stderr


def test_what_was_done_is_told_and_not_what_was_asked(run: Run, pair_files: tuple[Path, Path]) -> None:
    result = run("fuse", *pair_files, "the visible image is foggy", "-o", "fused.png")
    assert "left nearly alone: visible.haze" in result.stderr and "barely, 0.03" in result.stdout


def test_a_file_and_a_folder_do_not_go_together(run: Run, pair_files: tuple[Path, Path]) -> None:
    assert_one_line(run("fuse", pair_files[0].parent, pair_files[1]), 2, "give two pictures, or two folders")


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    "content",
    [None, b"", b"not a picture", b"truncated", _png_header(60_000, 60_000)],
    ids=["missing", "empty", "text", "truncated", "bomb"],
)
def test_bad_pictures_fail_with_1_and_leave_nothing(
    run: Run, tmp_path: Path, pair_files: tuple[Path, Path], content: bytes | None
) -> None:
    bad = tmp_path / "bad.png"
    if content == b"truncated":
        bad.write_bytes(pair_files[1].read_bytes()[:600])
    elif content is not None:
        bad.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    assert_one_line(run("fuse", pair_files[0], bad, "-o", "out.png"), 1, "bad.png")
    assert sorted(tmp_path.rglob("*")) == before


def test_unwritable_outputs_and_unknown_models_fail_with_1(
    run: Run, tmp_path: Path, pair_files: tuple[Path, Path]
) -> None:
    assert_one_line(run("fuse", *pair_files, "-o", "out.xyz"), 1, "out.xyz")
    (tmp_path / "file").write_text("a file, not a folder")
    assert_one_line(run("fuse", *pair_files, "-o", "file/out.png"), 1, "file")
    assert_one_line(run("fuse", *pair_files, "--model", "nothing"), 1, "there is no model 'nothing'")
    assert_one_line(run("fuse", *pair_files, "--provider", "abacus"), 1, "provider 'abacus'")


def test_debug_shows_the_traceback(run: Run, pair_files: tuple[Path, Path]) -> None:
    assert "Traceback" in run("fuse", *pair_files, "--model", "nothing", LEXIFUSE_DEBUG="1").stderr


def test_a_folder_takes_the_picture_under_its_own_name(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    (tmp_path / "out").mkdir()
    assert json.loads(run("fuse", *pair_files, "-o", "out", "--json").stdout)["output"] == "out/street_fused.png"
    assert (tmp_path / "out" / "street_fused.png").is_file()


def test_a_link_is_written_through(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    (tmp_path / "link.png").symlink_to("real.png")
    assert run("fuse", *pair_files, "-o", "link.png").returncode == 0
    assert (tmp_path / "link.png").is_symlink() and lexifuse.read_image(tmp_path / "real.png").size


def test_names_that_are_too_long_are_told_in_one_line(run: Run, pair_files: tuple[Path, Path]) -> None:
    assert_one_line(run("fuse", *pair_files, "-o", f"{'x' * 300}.png"), 1, "cannot write 'xxx", "(File name too long)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_output_that_goes_nowhere_is_told_in_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lexifuse", "models"]
        result = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert (
        result.stderr == "lexifuse: cannot read or write (No space left on device): check the path and the free space\n"
    )


def test_pictures_whose_name_is_too_long_are_told_in_one_line(run: Run, pair_files: tuple[Path, Path]) -> None:
    assert_one_line(
        run("fuse", f"{'x' * 300}.png", pair_files[1]), 1, "lexifuse: cannot read or write 'xxx", "too long"
    )


def test_one_picture_twice_is_no_pair(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    (tmp_path / "same.png").symlink_to(pair_files[1])
    assert_one_line(run("fuse", pair_files[1], "same.png"), 2, "are the same file")
    assert not (tmp_path / "same_fused.png").exists()


def test_different_sizes_need_resize(run: Run, tmp_path: Path, pair_files: tuple[Path, Path], day: Scene) -> None:
    lexifuse.write_image(tmp_path / "small.png", day.infrared[:, :80])
    assert_one_line(run("fuse", "small.png", pair_files[1]), 1, "infrared 80x144, visible 192x144", "--resize")
    result = run("fuse", "small.png", pair_files[1], "--resize", "-o", "out.png")
    assert result.returncode == 0
    assert "resized from 80x144 to 192x144" in result.stderr


def test_a_swapped_pair_is_noticed(run: Run, tmp_path: Path, day: Scene) -> None:
    lexifuse.write_image(tmp_path / "grey.png", day.infrared)
    lexifuse.write_image(tmp_path / "colour.png", day.visible)
    result = run("fuse", "colour.png", "grey.png", "-o", "out.png")
    assert result.returncode == 0
    assert "swapped" in result.stderr


def test_folders_go_on_past_a_bad_pair(run: Run, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").write_bytes(b"")
    (folders[1] / "lonely.jpg").write_bytes((folders[1] / "a.jpg").read_bytes())
    result = run("fuse", *folders, "-o", "out")
    assert result.returncode == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png", "d.png"]
    assert "failed: b:" in result.stderr
    assert "no partner for" in result.stderr
    assert "3 fused, 1 failed, 0 skipped" in result.stderr


def test_every_pair_of_two_folders_has_a_record(run: Run, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    infrared, visible = folders
    (infrared / "b.png").write_bytes(b"")
    lexifuse.write_image(infrared / "d.jpg", lexifuse.read_image(infrared / "d.png"))
    lonely = visible / "lonely[draft]:car:.jpg"
    lonely.write_bytes((visible / "a.jpg").read_bytes())
    call = ("fuse", *folders, "-o", "out", "--json", "--report", "report.json")
    result = run(*call)
    assert result.returncode == 1
    assert f"no partner for {lonely}" in result.stderr, "rich would take the name for markup"
    assert "2 fused, 2 failed, 0 skipped" in result.stderr
    fused, failed, other, shared, unpaired = json.loads(result.stdout)
    assert json.loads((tmp_path / "report.json").read_text()) == [fused, failed, other, shared, unpaired]
    assert [record["output"] for record in (fused, other)] == ["out/a.png", "out/c.png"]
    assert failed.pop("error").endswith("copy or export it again")
    assert failed == {"infrared": str(infrared / "b.png"), "visible": str(visible / "b.jpg"), "output": None}
    assert (shared["infrared"], shared["visible"], shared["output"]) == (None, str(visible / "d.jpg"), None)
    assert "d.jpg" in shared["error"] and "d.png" in shared["error"] and "move one of them away" in shared["error"]
    assert unpaired == {"unpaired": str(lonely)}
    lexifuse.write_image(infrared / "b.png", lexifuse.read_image(infrared / "a.png"))
    again = json.loads(run(*call, "--skip-existing").stdout)
    assert (again[0], again[2:]) == (fused, [other, shared, unpaired]), "what is skipped keeps its record"
    assert again[1]["output"] == "out/b.png" and "instruction" in again[1]
    (tmp_path / "report.json").unlink()
    files = {"infrared": str(infrared / "a.png"), "visible": str(visible / "a.jpg"), "output": "out/a.png"}
    assert json.loads(run(*call, "--skip-existing").stdout)[0] == {**files, "skipped": True}


def test_a_misspelt_setting_stops_folders_at_once(run: Run, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    assert_one_line(run("fuse", *folders, "-o", "out", "--set", "hase=1"), 2, "unknown field 'hase'")
    assert not (tmp_path / "out").exists()


def test_folders_resume(run: Run, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    assert run("fuse", *folders, "-o", "out").returncode == 0
    (tmp_path / "out" / "c.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    result = run("fuse", *folders, "-o", "out", "--skip-existing")
    assert result.returncode == 0
    assert "1 fused, 0 failed, 3 skipped" in result.stderr
    assert all(path.stat().st_mtime_ns == made for path, made in times.items())
    assert (tmp_path / "out" / "c.png").is_file()


def _heed_interrupts() -> None:
    """A shell that runs the tests in the background has its children ignore the signal; one at a keyboard does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_folder_job_leaves_whole_files_and_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(60):
        lexifuse.write_image(tmp_path / "ir" / f"{number:02}.png", rng.integers(0, 256, (200, 200), np.uint8))
        lexifuse.write_image(tmp_path / "vi" / f"{number:02}.png", rng.integers(0, 256, (200, 200, 3), np.uint8))
    command = [sys.executable, "-m", "lexifuse", "fuse", "ir", "vi", "-o", "out", "--skip-existing"]
    command += ["--report", "report.json"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out").glob("*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    written = sorted((tmp_path / "out").iterdir())
    assert process.returncode == 130
    assert f"interrupted: {len(written)} written to out; go on with --skip-existing" in stderr
    reported = json.loads((tmp_path / "report.json").read_text())
    assert [Path(record["output"]).name for record in reported] == [path.name for path in written]
    assert 3 <= len(written) < 60
    assert all(lexifuse.read_image(path).shape == (200, 200, 3) for path in written)
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0
    assert f"{60 - len(written)} fused, 0 failed, {len(written)} skipped" in result.stderr
    whole = json.loads((tmp_path / "report.json").read_text())
    assert whole[: len(written)] == reported
    assert len(whole) == 60 and all("instruction" in record for record in whole)


def test_an_interrupted_verb_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lexifuse.language, "read_prompt", interrupted)
    result = CliRunner().invoke(app, ["explain", "it is foggy"])
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_an_output_folder_that_is_an_input_folder_is_refused(run: Run, folders: tuple[Path, Path]) -> None:
    assert_one_line(run("fuse", *folders, "-o", folders[1]), 2, "is one of the input folders")


def test_an_output_folder_that_is_a_file_is_refused_at_once(
    run: Run, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert_one_line(run("fuse", *folders, "-o", "notes.txt"), 2, "notes.txt is a file: choose a folder")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_output_folder_with_the_name_of_a_picture_is_refused(
    run: Run, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    assert_one_line(run("fuse", *folders, "-o", "fused.PNG"), 2, "fused.PNG is named as a picture", "with -o")
    assert not (tmp_path / "fused.PNG").exists()
    (tmp_path / "there.png").mkdir()
    assert run("fuse", *folders, "-o", "there.png").returncode == 0, "a folder that is there is meant"


def test_detect_refuses_to_lose_pictures_and_boxes(run: Run, tmp_path: Path, pair_files: tuple[Path, Path]) -> None:
    (tmp_path / "other").mkdir()
    double = tmp_path / "other" / "street.png"
    double.write_bytes(pair_files[1].read_bytes())
    before = [path.read_bytes() for path in (*pair_files, double)]
    for call in (
        (*pair_files, "--fuse", "--draw", pair_files[0]),
        (*pair_files, "--fuse", "-o", pair_files[1]),
        (pair_files[1], "-o", pair_files[1]),
    ):
        assert_one_line(run("detect", *call), 2, "would overwrite the picture: choose another name")
    for call in (("--format", "yolo", "-o", "boxes"), ("--format", "coco"), ("--draw", "drawn")):
        assert_one_line(run("detect", pair_files[1], double, *call), 2, "would share the name 'street'")
    assert [path.read_bytes() for path in (*pair_files, double)] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "other"]


def test_the_word_auto_is_explained(run: Run) -> None:
    told = run("explain", "auto").stdout
    assert "lets the pixels speak" in told and "not understood" not in told
    assert json.loads(run("explain", "auto", "--json").stdout)["not_understood"] == []


def test_models_lists_what_is_here(run: Run) -> None:
    (card,) = [card for card in json.loads(run("models", "--json").stdout) if card["name"] == "compact"]
    assert len(card["sha256"]) == 64
    assert "compact" in run("models").stdout


def test_demo_writes_a_contact_sheet(run: Run, tmp_path: Path) -> None:
    result = run("demo", "-o", "shown")
    assert result.returncode == 0, result.stderr
    sheet = lexifuse.read_image(tmp_path / "shown" / "contact_sheet.png")
    assert sheet.shape[1] > 1000
    assert len(list((tmp_path / "shown").glob("*_fused_*.png"))) == 6
