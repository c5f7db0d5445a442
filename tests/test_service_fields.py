"""What a request may say and what its answer tells: unknown, repeated and mistyped fields are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

import lexifuse
from lexifuse.instruction import DEGRADATIONS

pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.server import serve_in_background

Part = tuple[str, str | bytes]
Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        yield url


@pytest.fixture
def pair(pair_files: Files) -> list[Part]:
    return [("infrared", pair_files[0].read_bytes()), ("visible", pair_files[1].read_bytes())]


def post(url: str, *parts: Part) -> tuple[int, dict[str, str], bytes]:
    """Post a form; parts of bytes are files."""
    body = b""
    for name, value in parts:
        file = '; filename="x"' if isinstance(value, bytes) else ""
        body += f'--cut\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    request = Request(url, body + b"--cut--\r\n", {"Content-Type": "multipart/form-data; boundary=cut"})
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    except HTTPError as error:
        return error.code, {key.lower(): value for key, value in error.headers.items()}, error.read()


def invalid(answer: tuple[int, dict[str, str], bytes]) -> dict[str, str]:
    """Check that an answer says that fields are wrong; what it says of each, and of all as ``detail``."""
    found = json.loads(answer[2])
    assert answer[0] == 422 and found["type"] == "urn:lexifuse:problem:invalid", found
    assert "\n" not in found["detail"]
    return {item["field"]: item["message"] for item in found.get("errors", ())} | {"detail": found["detail"]}


@pytest.mark.parametrize("route", ["fuse", "inspect", "detect"])
def test_an_unknown_field_is_named_with_those_that_there_are(url: str, pair: list[Part], route: str) -> None:
    told = invalid(post(f"{url}/v1/{route}", *pair, ("auto", "true"), ("risize", "true")))
    known = "infrared, visible, resize" if route == "inspect" else "infrared, visible, prompt, set, model"
    assert set(told) == {"auto", "risize", "detail"} and known in told["auto"]
    assert "did you mean 'resize'?" in told["risize"] and "auto: there is no such field" in told["detail"]


def test_a_field_that_is_missing_under_its_name_is_told_by_the_name_it_came_under(url: str, pair: list[Part]) -> None:
    told = invalid(post(f"{url}/v1/fuse", pair[0], ("Visible", pair[1][1])))
    assert "did you mean 'visible'?" in told["Visible"]


def test_a_thousand_strange_fields_are_answered_shortly(url: str, pair: list[Part]) -> None:
    told = invalid(post(f"{url}/v1/fuse", *pair, *((f"x{number}\t" + "y" * 500, "") for number in range(900))))
    assert len(told["detail"]) < 1500 and "\t" not in told["detail"]


def test_what_is_said_once_may_not_be_said_twice(url: str, pair: list[Part]) -> None:
    told = invalid(post(f"{url}/v1/fuse", *pair, pair[0], ("prompt", "foggy"), ("prompt", "dark")))
    assert set(told) == {"infrared", "prompt", "detail"} and "send it once" in told["prompt"]
    several = [("set", "visible.haze=0.4"), ("set", "balance=0.1")]
    status, headers, _ = post(f"{url}/v1/fuse", *pair, *several)
    asked = json.loads(headers["x-lexifuse-instruction"])
    assert status == 200 and (asked["visible"]["haze"], asked["balance"]) == (0.4, 0.1)


def test_a_text_is_no_file_and_a_file_no_text(url: str, pair: list[Part]) -> None:
    told = invalid(post(f"{url}/v1/inspect", pair[0], ("visible", "visible.png")))
    assert told["visible"] == "it must be a file, not text: visible=@PATH sends one with curl -F"
    told = invalid(post(f"{url}/v1/fuse", *pair, ("prompt", b"foggy")))
    assert "must be text" in told["prompt"]


def test_the_document_says_that_there_are_no_other_fields(url: str) -> None:
    with urlopen(f"{url}/openapi.json", timeout=60) as answer:
        document = json.loads(answer.read())
    for route in ("fuse", "inspect", "detect"):
        form = document["paths"][f"/v1/{route}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert document["components"]["schemas"][form["$ref"].rpartition("/")[2]]["additionalProperties"] is False


@pytest.mark.parametrize(("name", "longest"), [("webp", 16_383), ("jpeg", 65_500)])
def test_a_picture_that_the_format_cannot_hold_is_told_so(url: str, tmp_path: Path, name: str, longest: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (4, longest + 1), np.uint8)
    lexifuse.write_image(tmp_path / "long.png", grey)
    content = (tmp_path / "long.png").read_bytes()
    parts = ("infrared", content), ("visible", content)
    told = invalid(post(f"{url}/v1/fuse", *parts, ("format", name)))
    assert f"up to {longest:,} pixels a side" in told["detail"] and "ask for png" in told["detail"]
    assert post(f"{url}/v1/fuse", *parts)[0] == 200


def test_what_was_asked_for_and_what_was_carried_out_are_told_apart(url: str, pair: list[Part]) -> None:
    """The pair has no rain, so that little is done about it."""
    words = ("prompt", "heavy rain, and the ñandú is qwrtz 🐦")
    _, headers, content = post(f"{url}/v1/fuse", *pair, words, ("format", "json"))
    found = json.loads(content)
    assert json.loads(headers["x-lexifuse-instruction"]) == found["instruction"]
    assert json.loads(headers["x-lexifuse-carried-out"]) == found["carried_out"] != found["instruction"]
    assert json.loads(headers["x-lexifuse-not-understood"]) == found["not_understood"] and found["not_understood"]
    assert headers["x-lexifuse-not-understood"].isascii()
    understood = post(f"{url}/v1/fuse", *pair, ("prompt", "foggy"))[1]
    assert "x-lexifuse-not-understood" not in understood


@pytest.mark.parametrize("prompt", ["it is hazy; balance the qwrtz", "auto"])
def test_detect_tells_the_same_record_as_fuse(url: str, pair: list[Part], prompt: str) -> None:
    asked = [*pair, ("prompt", prompt), ("set", "visible.blur=0.4")]
    told, found = (
        json.loads(post(f"{url}{path}", *asked, *more)[2])
        for path, more in (("/v1/fuse", [("format", "json")]), ("/v1/detect", []))
    )
    own = {"image", "media_type"}, {"found", "threshold", "detector", "detector_sha256"}
    for answer, fields in zip((told, found), own, strict=True):
        assert fields <= set(answer) and answer.pop("seconds") > 0
        for name in fields:
            del answer[name]
    assert told == found
    assert set(told) == {
        "width", "height", "model", "model_sha256", "instruction", "in_words", "carried_out",
        "prompt", "not_understood", "unsure", "seen", "notes",
    }  # fmt: skip
    if prompt == "auto":
        assert told["prompt"] == "" and set(told["seen"]["probability"]) == set(DEGRADATIONS)
    else:
        assert told["prompt"] == prompt and told["seen"] is None and "qwrtz" in told["not_understood"]


def test_a_header_stays_short_whatever_is_not_understood(url: str, pair: list[Part]) -> None:
    words = " ".join(f"glorp{number}ик" for number in range(250))
    headers = post(f"{url}/v1/fuse", *pair, ("prompt", words))[1]
    assert 1 < len(json.loads(headers["x-lexifuse-not-understood"])) < 250
    assert len(headers["x-lexifuse-not-understood"]) <= 2000
