"""The service and its client: what comes back, and how errors are told. The limits are in test_service_limits.py."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import lexifuse
from lexifuse.automatic import read_pixels
from lexifuse.client import Client, ServiceError
from lexifuse.datasets.synthetic import Scene
from lexifuse.errors import InputError, UsageError
from lexifuse.instruction import Instruction
from lexifuse.pair import ImagePair

pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

from fastapi import FastAPI

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.engine import Engine
from lexifuse.service.logs import JsonFormatter
from lexifuse.service.server import serve_in_background

Answer = tuple[int, dict[str, str], bytes]
Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = ServiceSettings(threads=1, max_bytes=2**20, max_pixels=100_000, origins=("https://page.example",))
    with serve_in_background(create_api(settings)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Client:
    return Client(url)


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """One exchange; header names have ``_`` for ``-``."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, path, body or None, {key.replace("_", "-"): value for key, value in headers.items()})
    response = connection.getresponse()
    answer = response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    connection.close()
    return answer


def post(url: str, path: str, *parts: tuple[str, str | bytes]) -> Answer:
    """Post a form; parts of bytes are files."""
    body = b""
    for name, value in parts:
        file = '; filename="x"' if isinstance(value, bytes) else ""
        body += f'--cut\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return ask(url, "POST", path, body + b"--cut--\r\n", Content_Type="multipart/form-data; boundary=cut")


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


def problem(answer: Answer, status: int, kind: str) -> str:
    """Check that an answer is that problem; its detail."""
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/problem+json"
    found = json.loads(answer[2])
    assert found["type"] == f"urn:lexifuse:problem:{kind}" and found["status"] == status and found["title"]
    assert found["request_id"] == answer[1]["x-request-id"]
    assert "/tmp" not in found["detail"] and "\n" not in found["detail"]
    return found["detail"]


# ---- what comes back ----


def test_the_picture_is_the_one_that_is_made_here(client: Client, fuser: lexifuse.Fuser, pair_files: Files) -> None:
    words = "the visible image is dark; make people stand out"
    there, here = client.fuse(*pair_files, words), fuser.fuse(*pair_files, words)
    assert np.array_equal(there.image, here.image)
    assert there.instruction == here.instruction and not there.instruction.is_plain
    assert there.model == "compact" and there.notes == here.notes


def test_pictures_from_memory_keep_their_depth(client: Client, fuser: lexifuse.Fuser, day: Scene) -> None:
    deep = day.visible.astype(np.uint16) * 257
    there = client.fuse(day.infrared.astype(np.float32) / 255, deep, Instruction(balance=0.5))
    assert there.image.dtype == np.uint16 and there.instruction.balance == 0.5
    assert np.abs(there.image.astype(int) - fuser.fuse(day.infrared, deep, there.instruction).image).max() <= 2


@pytest.mark.parametrize(("name", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp"), ("tiff", ".tif")])
def test_formats(client: Client, day: Scene, tmp_path: Path, name: str, suffix: str) -> None:
    fused = client.fuse(day.infrared, day.visible, picture_format=name)
    fused.save(tmp_path / f"fused{suffix}")
    saved = lexifuse.read_image(tmp_path / f"fused{suffix}")
    assert saved.shape == day.visible.shape and np.array_equal(saved, fused.image)
    with pytest.raises(UsageError, match="or ask for another format"):
        fused.save(tmp_path / "fused.bmp")


def test_json_has_the_picture_and_the_account(url: str, client: Client, pair_files: Files) -> None:
    infrared, visible = (path.read_bytes() for path in pair_files)
    parts = ("infrared", infrared), ("visible", visible), ("prompt", "hazy; balance the qwrtz"), ("format", "json")
    status, headers, content = post(url, "/v1/fuse", *parts, ("set", "visible.rain=0.4"), ("set", "keep_colour=true"))
    found = json.loads(content)
    assert status == 200 and headers["content-type"] == "application/json"
    assert found["instruction"]["visible"]["haze"] >= 0.2 and found["instruction"]["visible"]["rain"] == 0.4
    assert found["instruction"]["keep_colour"] is True and "qwrtz" in found["not_understood"]
    settings = {"visible.rain": 0.4, "keep_colour": True}
    same = client.fuse(*pair_files, "hazy; balance the qwrtz", settings=settings)
    assert base64.b64decode(found["image"]) == same.content
    assert json.loads(headers["x-lexifuse-instruction"]) == found["instruction"]
    assert "fuse;dur=" in headers["server-timing"]


def test_settings_override_the_words(client: Client, pair_files: Files) -> None:
    fused = client.fuse(*pair_files, "hazy", settings={"visible.haze": 0.0, "highlight": ["person", "car"]})
    assert fused.instruction == Instruction(highlight=("person", "car"))


def test_an_infrared_picture_of_another_size_is_resized_on_demand(client: Client, day: Scene) -> None:
    small = np.ascontiguousarray(day.infrared[::2, ::2])
    with pytest.raises(ServiceError, match="422: the two pictures differ in size") as refused:
        client.fuse(small, day.visible)
    assert refused.value.problem["type"] == "urn:lexifuse:problem:unusable-picture"
    fused = client.fuse(small, day.visible, resize=True)
    assert fused.image.shape == day.visible.shape and "resized" in " ".join(fused.notes)


def test_explain_says_what_the_command_line_says(client: Client) -> None:
    words = "the visible image is very dark, and what is a fnord?"
    assert client.explain(words) == json.loads(json.dumps(lexifuse.read_prompt(words).to_dict()))


def test_inspect_and_auto(client: Client, pair_files: Files, day: Scene) -> None:
    seen = read_pixels(ImagePair(day.infrared, day.visible))
    assert client.inspect(*pair_files) == json.loads(json.dumps(seen.to_dict()))
    fused = client.fuse(day.infrared, day.visible, "auto", settings={"balance": 0.5})
    assert fused.instruction == seen.instruction.with_values({"balance": 0.5})


def test_detection_says_that_it_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexifuse.service.engine.detectors", list)
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        assert "no detector" in problem(post(url, "/v1/detect"), 501, "not-available")


def test_models_and_health(url: str, client: Client) -> None:
    assert client.models()[0]["name"] == "compact" and len(client.models()[0]["sha256"]) == 64
    assert client.ready()
    assert ask(url, "GET", "/healthz")[2] == b'{"status":"ok"}'
    assert json.loads(ask(url, "GET", "/readyz")[2]) == {"status": "ready", "model": "compact"}


def test_readiness_waits_for_the_model(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "ready", False)
    problem(ask(url, "GET", "/readyz"), 503, "not-ready")


def test_metrics_count_by_route_and_cannot_be_flooded(url: str, client: Client, day: Scene) -> None:
    def samples() -> dict[str, float]:
        lines = ask(url, "GET", "/metrics")[2].decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    before = samples()
    client.fuse(day.infrared, day.visible)
    for number in range(5):
        ask(url, "GET", f"/made/up/{number}")
    after = samples()
    fused = 'lexifuse_http_requests_total{method="POST",route="/v1/fuse",status="200"}'
    assert after[fused] == before.get(fused, 0) + 1
    assert after["lexifuse_fused_pixels_total"] - before.get("lexifuse_fused_pixels_total", 0) == day.infrared.size
    assert after['lexifuse_http_requests_total{method="GET",route="other",status="404"}'] >= 5
    assert not [name for name in after if "made" in name]
    assert after["lexifuse_queue_waiting"] == after["lexifuse_queue_running"] == 0
    assert after["process_resident_memory_bytes"] > 2**20


def test_the_openapi_document_is_served_and_no_page_loads_scripts_from_elsewhere(url: str) -> None:
    document = json.loads(ask(url, "GET", "/openapi.json")[2])
    routes = {"fuse", "explain", "inspect", "detect", "models"}
    assert set(document["paths"]) == {f"/v1/{name}" for name in routes} | {"/healthz", "/readyz", "/metrics"}
    fuse = document["paths"]["/v1/fuse"]["post"]
    assert set(fuse["responses"]) == {"200", "400", "408", "413", "415", "422", "429", "500", "504"}
    references = set(json.dumps(document).split('"#/components/schemas/')[1:])
    assert {reference.partition('"')[0] for reference in references} <= set(document["components"]["schemas"])
    for page in ("/docs", "/redoc"):
        problem(ask(url, "GET", page), 404, "not-found")


# ---- how errors are told ----


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("png") / "noise.png"
    lexifuse.write_image(path, np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("changed", "status", "kind", "said"),
    [
        ({"visible": None}, 422, "invalid", "visible: Field required"),
        ({"visible": "words"}, 422, "invalid", "visible: "),
        ({"visible": b""}, 422, "unusable-picture", "the visible picture is empty"),
        ({"infrared": b"GIF89a and so on"}, 415, "unknown-picture-format", "the infrared picture"),
        ({"infrared": b"\x89PNG\r\n\x1a\n" + b"\0" * 40}, 415, "unknown-picture-format", "the infrared picture"),
        ({"visible": "cut"}, 422, "unusable-picture", "the visible picture is damaged or truncated"),
        ({"format": "gif"}, 422, "invalid", "format: "),
        ({"set": "visible.fog"}, 422, "invalid", "set takes KEY=VALUE"),
        ({"set": "visible.haze=2"}, 422, "invalid", "visible.haze must be from 0 to 1"),
        ({"set": "visible.hase=0.2"}, 422, "invalid", "did you mean 'visible.haze'?"),
        ({"model": "nosuch"}, 422, "invalid", "there is no model 'nosuch': choose from compact"),
        ({"model": "/etc"}, 422, "invalid", "there is no model '/etc'"),
        ({"prompt": "dark " * 1000}, 422, "invalid", "prompt: "),
        ({"resize": "perhaps"}, 422, "invalid", "resize: "),
    ],
)
def test_a_wrong_field_is_named(
    url: str, png: bytes, changed: dict[str, Any], status: int, kind: str, said: str
) -> None:
    parts: dict[str, Any] = {"infrared": png, "visible": png, **changed}
    if parts["visible"] == "cut":
        parts["visible"] = png[: len(png) // 2]
    detail = problem(
        post(url, "/v1/fuse", *((key, value) for key, value in parts.items() if value is not None)), status, kind
    )
    assert said in detail and len(detail) < 500


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/v1/nothing", b"", 404, "not-found"),
        ("GET", "/v1/fuse", b"", 405, "method-not-allowed"),
        ("POST", "/v1/explain", b"{", 400, "malformed"),
        ("POST", "/v1/explain", b"[1]", 422, "invalid"),
        ("POST", "/v1/explain", b'{"prompt": "dark", "more": 1}', 422, "invalid"),
        ("POST", "/v1/explain", b'{"prompt": "' + b"x" * 70_000 + b'"}', 413, "too-large"),
    ],
)
def test_other_mistakes(url: str, method: str, path: str, body: bytes, status: int, kind: str) -> None:
    problem(ask(url, method, path, body, Content_Type="application/json"), status, kind)


def test_an_unforeseen_error_tells_nothing_and_is_logged(
    url: str, png: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(Engine, "fuse", explode)
    detail = problem(post(url, "/v1/fuse", ("infrared", png), ("visible", png)), 500, "internal")
    assert "secret" not in detail
    assert any(record.exc_info and "a secret" in str(record.exc_info[1]) for record in caplog.records)


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict]:
    requests = [record for record in caplog.records if record.message == "request"]
    return [json.loads(JsonFormatter().format(record)) for record in requests]


def test_one_line_of_log_per_request_without_its_contents(
    url: str, client: Client, day: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "lexifuse.service"):
        client.fuse(day.infrared, day.visible, "the secret plan is dark")
        _, headers, _ = ask(url, "GET", "/healthz?secret=1", X_Request_ID="my-id-7")
        ask(url, "GET", "/healthz", X_Request_ID='no good"id')
        # Counted by what they ask for: the line of the test before may come late.
        wait_until(lambda: sum(line["path"] == "/healthz" for line in _lines(caplog)) == 2)
    lines = _lines(caplog)[-3:]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v1/fuse", 200),
        ("GET", "/healthz", 200),
        ("GET", "/healthz", 200),
    ]
    assert lines[0]["milliseconds"] > 0 and lines[0]["bytes_out"] > 1000 and lines[0]["level"] == "info"
    assert headers["x-request-id"] == lines[1]["request_id"] == "my-id-7" != lines[2]["request_id"]
    assert "secret" not in json.dumps(lines) and "good" not in json.dumps(lines)


def test_an_api_key_guards_v1_alone(day: Scene) -> None:
    with serve_in_background(create_api(ServiceSettings(threads=1, api_keys=("old key", "new")))) as url:
        refused = ask(url, "GET", "/v1/models")
        problem(refused, 401, "key-needed")
        problem(ask(url, "POST", "/v1/fuse", b"x" * 100, X_API_Key="newer"), 401, "key-needed")
        assert Client(url, api_key="new").fuse(day.infrared, day.visible).image.shape == day.visible.shape
        assert Client(url, api_key="old key").explain("dark")["visible"]["low_light"] > 0
        assert ask(url, "GET", "/readyz")[0] == ask(url, "GET", "/metrics")[0] == 200
        schemes = json.loads(ask(url, "GET", "/openapi.json")[2])["components"]["securitySchemes"]
        assert schemes["APIKeyHeader"]["name"] == "X-API-Key"


def test_an_api_key_guards_a_mounted_service_too() -> None:
    parent, api = FastAPI(), create_api(ServiceSettings(threads=1, api_keys=("key",)))
    parent.mount("/fusion", api)
    parent.state.service = api.state.service
    with serve_in_background(parent) as url:
        problem(ask(url, "GET", "/fusion/v1/models"), 401, "key-needed")
        assert Client(f"{url}/fusion", api_key="key").models()[0]["name"] == "compact"


def test_only_listed_origins_may_call_from_a_browser(url: str) -> None:
    preflight = {"Access_Control_Request_Method": "POST", "Origin": "https://page.example"}
    _, headers, _ = ask(url, "OPTIONS", "/v1/fuse", b"", **preflight)
    assert headers["access-control-allow-origin"] == "https://page.example"
    status, headers, _ = ask(url, "OPTIONS", "/v1/fuse", b"", **{**preflight, "Origin": "https://other.example"})
    assert status == 400 and "access-control-allow-origin" not in headers


def test_telemetry_of_the_runtime_is_off_before_it_is_loaded() -> None:
    code = "import os, sys, lexifuse; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert told.stdout.split() == ["1", "False"]


def test_settings_out_of_range_are_refused() -> None:
    wrongs: list[dict[str, Any]] = [{"workers": 0}, {"max_pixels": 10**9}, {"time_limit": 0}, {"api_keys": (" ",)}]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="must be"):
            ServiceSettings(**wrong)


@pytest.mark.parametrize(
    "origin", ["foo bar", "page.example", "https://page.example/", "https://", "https://*", "null"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match=r"is no web origin: it must be scheme://host"):
        ServiceSettings(origins=("https://page.example", origin))


def test_origins_are_taken_as_browsers_send_them() -> None:
    origins = ("*", "https://page.example", "http://127.0.0.1:8000", "http://[::1]:80", "chrome-extension://abc")
    assert ServiceSettings(origins=origins).origins == origins


# ---- the client's own mistakes ----


def test_the_client_says_what_is_wrong(client: Client, pair_files: Files, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no address of a service"):
        Client("localhost:8000")
    with pytest.raises(UsageError, match="is no address of a service"):
        Client("http://127.0.0.1:123456")
    with pytest.raises(InputError, match=r"the infrared picture '.*nosuch.png' cannot be read"):
        client.fuse(tmp_path / "nosuch.png", pair_files[1])
    with pytest.raises(UsageError, match="unknown format 'gif': choose from png"):
        client.fuse(*pair_files, picture_format="gif")
    nobody = Client("http://127.0.0.1:9", timeout=2)
    assert not nobody.ready()
    with pytest.raises(ServiceError, match="is `lexifuse serve` running there") as error:
        nobody.models()
    assert error.value.status == 0


def test_importing_the_client_or_the_verb_needs_no_extra_packages() -> None:
    code = "import sys, lexifuse.client, lexifuse.cli; print({'fastapi', 'uvicorn', 'pydantic'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
