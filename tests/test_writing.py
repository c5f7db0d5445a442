"""Writing: files appear whole or not at all, and what cannot be written is told in one line."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lexifuse.datasets.synthetic import save_dataset
from lexifuse.errors import InputError, OutputError
from lexifuse.files import atomic_file
from lexifuse.images import lost_in, read_picture
from lexifuse.pair import read_image, write_image


def picture(shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_missing_folders_are_made_and_existing_files_replaced(tmp_path):
    path = tmp_path / "new" / "folders" / "a.PNG"
    for seed in (1, 2):
        write_image(path, picture((5, 5), seed=seed))
        assert np.array_equal(read_image(path), picture((5, 5), seed=seed))
    assert [item.name for item in path.parent.iterdir()] == ["a.PNG"]


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.exr"])
def test_unknown_suffixes_are_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.png, \.jpg"):
        write_image(tmp_path / "folder" / name, picture((5, 5)))
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be_made_and_folders_as_target_are_refused(tmp_path):
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(OutputError, match="cannot write"):
        write_image(tmp_path / "file" / "a.png", picture((5, 5)))
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_image(tmp_path / "a.png", picture((5, 5)))
    assert (tmp_path / "file").read_text() == "keep me" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folders_are_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_image(tmp_path / "a.png", picture((5, 5)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_a_failing_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, picture((5, 5, 3)))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_image(path, picture((5, 5, 3), seed=1))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_pictures_too_large_for_a_format_are_refused(tmp_path):
    for name, width, limit in (("a.webp", 16384, "WEBP holds no more than 16383"), ("a.jpg", 65501, "more than 65500")):
        with pytest.raises(OutputError, match=f"it is {width}x1, .*{limit} pixels a side.*scale it down"):
            write_image(tmp_path / name, np.zeros((1, width), np.uint8))
        with pytest.raises(OutputError, match=limit):
            write_image(tmp_path / name, np.zeros((width, 1), np.uint8))
        assert not list(tmp_path.iterdir())
        write_image(tmp_path / name, np.zeros((1, width - 1), np.uint8))
        (tmp_path / name).unlink()


def test_a_link_is_written_through_and_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for target in ("elsewhere/there.png", "elsewhere/new.png"):
        link = tmp_path / f"to {Path(target).name}"
        link.symlink_to(target)
        if "there" in target:
            (tmp_path / target).write_bytes(b"old")
        write_image(link, picture((5, 5)))
        assert link.is_symlink() and np.array_equal(read_image(tmp_path / target), picture((5, 5)))
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["new.png", "there.png"]
    (tmp_path / "link.png").symlink_to("/")
    with pytest.raises(OutputError, match=r"link\.png' .*folder"):
        write_image(tmp_path / "link.png", picture((5, 5)))


def test_names_that_are_too_long_are_told_in_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*name too long"):
        write_image(tmp_path / f"{'x' * 300}.png", picture((5, 5)))


@pytest.mark.parametrize(("path", "told"), [(None, "a NoneType"), (io.BytesIO(), "a BytesIO"), (3, "a int")])
def test_what_is_no_path_is_refused(path, told):
    with pytest.raises(OutputError, match=f"cannot write to {told}: give the path of a file"):
        write_image(path, picture((5, 5)))


def test_a_list_is_no_picture_and_a_matrix_is_one(tmp_path):
    with pytest.raises(InputError, match="is a list: give a numpy array"):
        write_image(tmp_path / "a.png", [[1, 2]])  # type: ignore[arg-type]
    matrix = picture((5, 6)).view(np.matrix)
    write_image(tmp_path / "a.png", matrix)
    back = read_picture(matrix).pixels
    assert type(back) is np.ndarray and np.array_equal(back, read_image(tmp_path / "a.png"))


@pytest.mark.parametrize("name", ["/", "", ".", "a\0b", "a\0b/c"])
def test_what_cannot_be_the_name_of_a_file_is_refused(name):
    with pytest.raises(OutputError, match="give the name of a file"), atomic_file(name):
        pass


def test_a_data_set_that_cannot_be_saved_leaves_no_parts(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        save_dataset(tmp_path, 1, height=16, width=16)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_alpha_of_another_size_is_refused(tmp_path):
    with pytest.raises(InputError, match="alpha"):
        write_image(tmp_path / "a.png", picture((5, 5, 3)), alpha=picture((5, 4)))


@pytest.mark.parametrize(
    ("name", "depth", "alpha", "lost"),
    [
        ("a.png", np.uint8, True, ()),
        ("a.tif", np.float32, True, ()),
        ("a.jpg", np.uint8, False, ()),
        ("a.jpg", np.uint16, True, ("holds 8-bit", "no alpha")),
        ("a.webp", np.uint16, True, ("holds 8-bit",)),
        ("a.png", np.float32, False, ("holds 16-bit",)),
    ],
)
def test_what_a_format_cannot_hold_is_told_and_is_what_is_lost(tmp_path, name, depth, alpha, lost):
    image = (picture((8, 9, 3)) / (255 if depth == np.float32 else 1)).astype(depth)
    opacity = image[..., 0] if alpha else None
    told = lost_in(name, image, alpha=opacity)
    assert len(told) == len(lost) and all(part in phrase for part, phrase in zip(lost, told, strict=True))
    write_image(tmp_path / name, image, alpha=opacity)
    assert (read_image(tmp_path / name).dtype != depth) == any("-bit pictures" in phrase for phrase in told)
