"""One range of counts for every picture of a film, from every verb and over HTTP, is as if they were no counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import lexifuse
from lexifuse.cli import app
from lexifuse.client import Client, ServiceError, _files, _form
from lexifuse.errors import UsageError

RANGE, OPTION = (7000, 8530), ("--infrared-range", "7000,8530")
WRONG = ("8500,7000", "7000", "a,b", "1,2,3", "0,nan")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def as_counts(path: Path, target: Path) -> Path:
    """The shades of an 8-bit picture as counts of a camera, of which RANGE is black to white."""
    lexifuse.write_image(target, 7000 + 6 * lexifuse.read_image(path).astype(np.uint16))
    return target


def half_of_the_range(tmp_path: Path, path: Path) -> tuple[tuple[str, str], Path]:
    """The option for the darker half of RANGE, and the picture that is seen then."""
    shades = lexifuse.read_image(path).astype(np.float32)
    target = tmp_path / "cut.png"
    lexifuse.write_image(target, np.clip(np.rint(2 * shades * 257), 0, 65535).astype(np.uint16))
    return ("--infrared-range", "7000,7765"), target


@pytest.fixture
def counts(tmp_path: Path, pair_files: tuple[Path, Path]) -> Path:
    return as_counts(pair_files[0], tmp_path / "counts.png")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")
    from lexifuse.service import ServiceSettings, create_api
    from lexifuse.service.server import serve_in_background

    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        yield Client(url)


def test_a_folder_is_fused_as_if_it_were_no_counts(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    infrared, visible = folders
    for path in infrared.iterdir():
        as_counts(path, tmp_path / "counts" / path.name)
    assert run("fuse", *folders, "-o", tmp_path / "plain").exit_code == 0
    assert run("fuse", tmp_path / "counts", visible, "-o", tmp_path / "ranged", *OPTION).exit_code == 0
    single = run("fuse", tmp_path / "counts/a.png", visible / "a.jpg", "-o", tmp_path / "a.png", *OPTION)
    assert single.exit_code == 0 and "stretched" not in single.stderr
    for name in ("ranged/a.png", "ranged/d.png", "a.png"):
        fused, plain = (lexifuse.read_image(tmp_path / path) for path in (name, f"plain/{Path(name).name}"))
        assert np.abs(fused.astype(int) - plain).max() <= 1


def test_pixels_are_read_in_the_range(tmp_path: Path, counts: Path, pair_files: tuple[Path, Path]) -> None:
    cut, as_cut = half_of_the_range(tmp_path, pair_files[0])
    wanted, found, whole = (
        json.loads(run("inspect", *arguments, "--json").stdout)["probability"]
        for arguments in ((as_cut, pair_files[1]), (counts, pair_files[1], *cut), (counts, pair_files[1]))
    )
    assert found == pytest.approx(wanted, abs=0.01) and whole != pytest.approx(wanted, abs=0.05)


def test_people_are_looked_for_in_the_range(counts: Path, pair_files: tuple[Path, Path]) -> None:
    def boxes(*arguments: str | Path) -> list[list[float]]:
        result = run("detect", *arguments, "make people stand out", "--threshold", "0.05", "--format", "json")
        (record,) = json.loads(result.stdout)
        return [found["box"] for found in record["found"]]

    plain = boxes(*pair_files)
    # The range is an option and not the words, so it may stand before them.
    ranged = boxes(*OPTION, counts, pair_files[1])
    assert plain and len(ranged) == len(plain)
    for found, box in zip(ranged, plain, strict=True):
        assert found == pytest.approx(box, abs=3)


def test_a_range_without_a_pair_is_refused(counts: Path) -> None:
    result = run("detect", counts, *OPTION)
    assert isinstance(result.exception, UsageError) and "is for a pair that is fused" in str(result.exception)


@pytest.mark.parametrize("wrong", [*WRONG, ""])
@pytest.mark.parametrize("verb", [("fuse",), ("inspect",), ("detect", "--fuse")])
def test_what_is_no_range_is_refused(pair_files: tuple[Path, Path], verb: tuple[str, ...], wrong: str) -> None:
    result = run(*verb, *pair_files, "--infrared-range", wrong)
    told = f"--infrared-range takes LOW,HIGH, two numbers with the lower first, such as 7000,8500, not '{wrong}'"
    assert isinstance(result.exception, UsageError) and str(result.exception) == told


def test_the_service_takes_a_range(client: Client, tmp_path: Path, counts: Path, pair_files: tuple[Path, Path]) -> None:
    visible, half = pair_files[1], (7000, 7765)
    _, as_cut = half_of_the_range(tmp_path, pair_files[0])
    ranged = client.fuse(counts, visible, infrared_range=half)
    assert np.abs(ranged.image.astype(int) - client.fuse(as_cut, visible).image).max() <= 1 and not ranged.notes
    assert np.abs(ranged.image.astype(int) - client.fuse(counts, visible).image).max() > 30
    seen = client.inspect(counts, visible, infrared_range=half)["probability"]
    assert seen == pytest.approx(client.inspect(as_cut, visible)["probability"], abs=0.01)
    assert seen != pytest.approx(client.inspect(counts, visible)["probability"], abs=0.05)


@pytest.mark.parametrize("kind", ["kelvin", "signed", "uint16"])
def test_the_client_takes_numbers_that_no_picture_file_holds(
    client: Client, pair_files: tuple[Path, Path], kind: str
) -> None:
    shades = lexifuse.read_image(pair_files[0])
    numbers, bounds = {
        "kelvin": (280 + shades.astype(np.float32) / 10, (280, 305.5)),
        "signed": (shades.astype(np.int16) - 100, (-100, 155)),
        "uint16": (7000 + 6 * shades.astype(np.uint16), RANGE),
    }[kind]
    plain, ranged = client.fuse(*pair_files), client.fuse(numbers, pair_files[1], infrared_range=bounds)
    assert np.abs(ranged.image.astype(int) - plain.image).max() <= 1 and not ranged.notes
    narrow = (bounds[0] - 10 * (bounds[1] - bounds[0]), bounds[1])  # Fills little of it, and is not stretched again.
    assert client.fuse(numbers, pair_files[1], infrared_range=narrow).notes == ()


def test_the_service_looks_for_people_in_the_range(
    client: Client, tmp_path: Path, pair_files: tuple[Path, Path]
) -> None:
    counts = as_counts(pair_files[0], tmp_path / "counts.png")
    _, as_cut = half_of_the_range(tmp_path, pair_files[0])

    def boxes(infrared: Path, infrared_range: str) -> list[list[float]]:
        fields = [("threshold", "0.05"), ("prompt", "make people stand out"), ("infrared_range", infrared_range)]
        content = _form(fields, _files(infrared, pair_files[1]))
        return [found["box"] for found in json.loads(client._ask("POST", "/v1/detect", *content)[1])["found"]]

    wanted, ranged = boxes(as_cut, ""), boxes(counts, "7000,7765")
    assert wanted and len(ranged) == len(wanted) != len(boxes(counts, ""))


@pytest.mark.parametrize("wrong", WRONG)
def test_the_service_refuses_what_is_no_range(client: Client, pair_files: tuple[Path, Path], wrong: str) -> None:
    with pytest.raises(ServiceError, match="422: infrared_range takes LOW,HIGH, two numbers") as refused:
        client._ask("POST", "/v1/fuse", *_form([("infrared_range", wrong)], _files(*pair_files)))
    assert refused.value.status == 422


def test_the_client_refuses_what_is_no_range_before_it_asks(client: Client, pair_files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="infrared_range takes two numbers"):
        client.fuse(*pair_files, infrared_range=(2, 1))
