"""The client by itself: what it sends of a request, whom it takes for a service, and its own mistakes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lexifuse
from lexifuse.client import Client, ServiceError
from lexifuse.errors import UsageError
from lexifuse.language import Reading, read_prompt

pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.server import serve_in_background

Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        yield Client(url)


@contextmanager
def somebody_else(content_type: str, content: bytes, status: int = 200, **headers: str) -> Iterator[str]:
    """A server that gives the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None: ...  # noqa: A002 - the name that it has there

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("text/html; charset=utf-8", b"<html>"), ("application/json", b"[1]"), ("image/png", b"\x89PNG")],
    ids=["html", "json", "png"],
)
def test_somebody_else_is_not_taken_for_a_service(content_type: str, content: bytes, pair_files: Files) -> None:
    with somebody_else(content_type, content) as url:
        client = Client(url)
        assert not client.ready()
        calls: list[Callable[[], Any]] = [
            client.models,
            lambda: client.explain("dark"),
            lambda: client.inspect(*pair_files),
            lambda: client.fuse(*pair_files),
        ]
        for call in calls:
            with pytest.raises(ServiceError, match="is no lexifuse service") as error:
                call()
            assert error.value.status == 200 and content_type.partition(";")[0] in str(error.value)


@pytest.mark.parametrize(("after", "waits"), [("7", [7.0, 7.0]), ("60", [60.0, 60.0]), ("61", []), ("86400", [])])
def test_a_long_wait_is_left_to_the_caller(monkeypatch: pytest.MonkeyPatch, after: str, waits: list[float]) -> None:
    slept: list[float] = []
    monkeypatch.setattr("lexifuse.client.time.sleep", slept.append)
    refused = pytest.raises(ServiceError, match="answered 503: later")
    with somebody_else("text/plain", b"later", 503, Retry_After=after) as url, refused as error:
        Client(url, retries=2).models()
    assert (slept, error.value.retry_after) == (waits, float(after))


def test_retries_are_counted_from_nought() -> None:
    with pytest.raises(UsageError, match="retries must be 0 or more, not -1"):
        Client(retries=-1)


@pytest.mark.parametrize("key", ["key\r\nX-Other: 1", "key\n", "schlüssel", "\u0161ifra"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str) -> None:
    with pytest.raises(UsageError, match="an API key is ASCII text on one line"):
        Client(api_key=key)


def test_a_prompt_of_another_type_is_refused(client: Client, pair_files: Files) -> None:
    with pytest.raises(UsageError, match="a prompt is words, an Instruction, a Reading or nothing, not int"):
        client.fuse(*pair_files, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "reading",
    [
        read_prompt("it is foggy and dark; make people stand out, and the qwrtz too"),
        read_prompt("it is foggy").with_settings({"visible.haze": 0.9, "balance": 0.2, "highlight": "person"}),
        read_prompt("make people stand out").with_settings({"highlight": []}),
        read_prompt("haze 90 %"),
    ],
    ids=["words", "settings", "nothing stands out", "a number in the words"],
)
def test_words_that_were_read_already_give_what_they_give_here(
    client: Client, fuser: lexifuse.Fuser, pair_files: Files, reading: Reading
) -> None:
    there, here = client.fuse(*pair_files, reading), fuser.fuse(*pair_files, reading)
    assert (there.instruction, there.carried_out) == (here.instruction, here.carried_out)
    assert np.array_equal(there.image, here.image) and there.not_understood == reading.not_understood


def test_nothing_asked_is_a_plain_fusion_and_what_the_pixels_deny_is_not_carried_out(
    client: Client, pair_files: Files
) -> None:
    assert client.fuse(*pair_files, None).instruction.is_plain
    rain = client.fuse(*pair_files, "heavy rain")
    assert rain.carried_out.severity("visible.rain") < rain.instruction.severity("visible.rain")
