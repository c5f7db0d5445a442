"""The service under strain: too much, too slow, broken, abandoned, too many at once, and told to stop."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import select
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from lexifuse.client import Client, ServiceError

pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.engine import Engine
from lexifuse.service.problems import ProblemError
from lexifuse.service.queue import WorkQueue
from lexifuse.service.server import PatientProtocol, serve_in_background

KILO, MEGA = 2**10, 2**20
FORM = b"POST /v1/fuse HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=cut\r\n"
Held = tuple[str, threading.Event, list[int]]
SMALL = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = ServiceSettings(threads=1, max_bytes=MEGA, max_pixels=100_000, upload_limit=1)
    with serve_in_background(create_api(settings)) as url:
        yield url


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and JSON of the answer on a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    headers = {key.lower(): value for key, value in response.getheaders()}
    return response.status, headers, json.loads(response.read())


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


# ---- too much ----


def test_a_gigabyte_is_refused_before_it_is_sent(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(FORM + b"Content-Length: 1073741824\r\n\r\n")
        status, headers, problem = answer(connection)
        assert status == 413 and problem["type"] == "urn:lexifuse:problem:too-large"
        assert headers["connection"] == "close"
        with pytest.raises(OSError):
            for _ in range(KILO):
                connection.sendall(b"x" * MEGA)


def test_the_client_reads_a_refusal_that_comes_while_it_still_sends(url: str) -> None:
    big = np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8)
    with pytest.raises(ServiceError, match="413: a request may have at most 1,048,576 bytes"):
        Client(url).fuse(big, big)


def test_an_upload_without_a_length_is_counted_as_it_comes(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(FORM + b"Transfer-Encoding: chunked\r\n\r\n")
        part = b'--cut\r\nContent-Disposition: form-data; name="infrared"; filename="x"\r\n\r\n'
        connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        for _ in range(MEGA // (64 * KILO) + 1):
            connection.sendall(b"10000\r\n" + b"x" * 64 * KILO + b"\r\n")
        status, _, problem = answer(connection)
    assert status == 413 and problem["type"] == "urn:lexifuse:problem:too-large"


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims to be huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(MEGA))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(317, 316), (12_000, 8_000), (65_535, 65_535)])
def test_a_decompression_bomb_is_refused_by_its_header(url: str, tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(*size))
    with pytest.raises(ServiceError, match=r"413: the visible picture claims .* more than the limit") as refused:
        Client(url).fuse(SMALL[..., 0], tmp_path / "bomb.png")
    assert refused.value.problem["type"] == "urn:lexifuse:problem:too-many-pixels"


# ---- too slow ----


def test_a_slow_upload_is_given_up_and_stops_nobody_else(url: str) -> None:
    slow = [connect(url) for _ in range(40)]
    for connection in slow:
        connection.sendall(FORM + b"Content-Length: 100000\r\n\r\n--cut\r\n")
    assert Client(url).fuse(SMALL[..., 0], SMALL).image.shape == SMALL.shape
    for connection in slow:
        status, _, problem = answer(connection)
        assert status == 408 and problem["type"] == "urn:lexifuse:problem:upload-too-slow"
        connection.close()


def test_a_connection_that_sends_no_headers_is_closed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.3)
    with connect(url) as silent, connect(url) as dribbling, connect(url) as again:
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert answer(again)[0] == 200
        started = time.monotonic()
        for connection in (dribbling, again):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        assert silent.recv(1) == dribbling.recv(1) == again.recv(1) == b""
        assert time.monotonic() - started < 5


def test_a_request_that_came_before_the_last_answer_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request of a pipeline begins while the first one's answer is sent: nobody waits for its headers."""
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.2)
    body = b"".join(
        b'--cut\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % (name, small_png())
        for name in (b"infrared", b"visible")
    )
    second = FORM + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (len(body) + 9) + body + b"--cut--\r\n"
    with held_service(monkeypatch) as (url, gate, begun), connect(url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n" + second)
        wait_until(lambda: bool(begun))
        time.sleep(0.6)
        gate.set()
        received = b"".join(iter(lambda: connection.recv(MEGA), b""))
    assert received.count(b"HTTP/1.1 200") == 2 and b"IEND" in received


def small_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(SMALL).save(file, "PNG")
    return file.getvalue()


# ---- broken ----

PART = b'--cut\r\nContent-Disposition: form-data; name="infrared"; filename="x"\r\n\r\nabc\r\n'
BROKEN = {
    "nothing": b"",
    "no end": PART,
    "no boundary at all": b"x" * 1000,
    "another boundary": PART.replace(b"cut", b"uct") + b"--uct--\r\n",
    "no name": b"--cut\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--cut--\r\n",
    "no headers": b"--cut\r\n\r\nabc\r\n--cut--\r\n",
    "a header without a colon": b"--cut\r\nContent-Disposition\r\n\r\nabc\r\n--cut--\r\n",
    "a huge header": b"--cut\r\nX: " + b"y" * 100_000 + b"\r\n\r\nabc\r\n--cut--\r\n",
    "bytes that are no text": PART.replace(b'"infrared"; filename="x"', b'"prompt"').replace(b"abc", b"\xff\0")
    + b"--cut--\r\n",
    "very many parts": PART * 5000 + b"--cut--\r\n",
    "the same part twice": PART + PART + b"--cut--\r\n",
}


# Starlette leaves a part that never ends to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_malformed_form_is_told_so(url: str, body: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(FORM + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        status, headers, problem = answer(connection)
    assert status in (400, 422) and headers["content-type"] == "application/problem+json"
    assert problem["type"] in ("urn:lexifuse:problem:malformed", "urn:lexifuse:problem:invalid")


def test_a_content_type_without_boundary_and_no_http_at_all(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(FORM.replace(b"; boundary=cut", b"") + b"Content-Length: 3\r\n\r\nabc")
        assert answer(connection)[0] == 400
    with connect(url) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert Client(url).ready()


# ---- the queue ----


def test_the_queue_bounds_what_waits_and_what_runs() -> None:
    async def story() -> None:
        queue, gate, most = WorkQueue(workers=2, room=3, time_limit=30), threading.Event(), 0

        def work() -> int:
            nonlocal most
            most = max(most, queue.running)
            gate.wait(10)
            return 7

        jobs = [asyncio.create_task(queue.run(work)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert (queue.running, queue.waiting, queue.full) == (2, 3, True)
        with pytest.raises(ProblemError) as refused:
            await queue.run(work)
        assert refused.value.status_code == 429 and int((refused.value.headers or {})["Retry-After"]) >= 1
        jobs[-1].cancel()
        await asyncio.sleep(0.01)
        assert (queue.waiting, queue.full) == (2, False)
        gate.set()
        assert await asyncio.gather(*jobs[:-1]) == [7] * 4 and most == 2
        assert (queue.running, queue.waiting) == (0, 0)
        await queue.close()

    asyncio.run(story())


def test_the_time_limit_counts_waiting_and_a_worker_is_busy_until_its_work_ends() -> None:
    async def story() -> None:
        queue, gate, begun = WorkQueue(workers=1, room=9, time_limit=1), threading.Event(), []

        def work(number: int) -> None:
            begun.append(number)
            gate.wait(10)

        jobs = [asyncio.create_task(queue.run(lambda number=number: work(number))) for number in range(3)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [getattr(result, "status_code", None) for result in results] == [504] * 3
        assert begun == [0] and (queue.running, queue.waiting) == (1, 0)
        closing = asyncio.create_task(queue.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        gate.set()
        await closing
        assert queue.running == 0
        with pytest.raises(ProblemError, match="is stopping"):
            await queue.run(lambda: None)

    asyncio.run(story())


def test_what_would_come_too_late_is_refused_at_once() -> None:
    async def story() -> None:
        queue = WorkQueue(workers=1, room=1000, time_limit=0.4)
        for _ in range(12):
            await queue.run(lambda: time.sleep(0.05))
        results = await asyncio.gather(
            *(queue.run(lambda: time.sleep(0.05)) for _ in range(40)), return_exceptions=True
        )
        statuses = Counter(getattr(result, "status_code", 200) for result in results)
        assert statuses[200] >= 2 and statuses[429] >= 30 and set(statuses) == {200, 429}
        await queue.close()

    asyncio.run(story())


def test_errors_of_the_work_come_back_and_free_the_worker() -> None:
    async def story() -> None:
        queue = WorkQueue(workers=1, room=1, time_limit=5)
        for error in (ValueError("mine"), TimeoutError("my own")):

            def fail(error: Exception = error) -> None:
                raise error

            with pytest.raises(type(error), match=str(error)):
                await queue.run(fail)
        assert await queue.run(lambda: 1) == 1
        await queue.close()

    asyncio.run(story())


@contextmanager
def held_service(monkeypatch: pytest.MonkeyPatch, **settings: float) -> Iterator[Held]:
    """A service with one worker, whose fusions begin (a list that grows) and do not end before the event is set."""
    gate, begun, fuse = threading.Event(), [], Engine.fuse

    def held(self: Engine, request: object) -> object:
        begun.append(1)
        gate.wait(20)
        return fuse(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "fuse", held)
    values = {"workers": 1, "queue": 1, "threads": 1, **settings}
    with serve_in_background(create_api(ServiceSettings(**values))) as url:  # type: ignore[arg-type]
        try:
            yield url, gate, begun
        finally:
            gate.set()


def test_a_full_queue_answers_429_at_once_and_the_client_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_service(monkeypatch) as (url, gate, _), ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(Client(url, retries=0).fuse, SMALL[..., 0], SMALL) for _ in range(2)]
        wait_until(lambda: queue_of(url) == (1, 1))
        with connect(url) as connection:  # Its body is not even waited for.
            connection.sendall(FORM + b"Content-Length: 1000\r\n\r\n")
            status, headers, problem = answer(connection)
        assert status == 429 and headers["retry-after"] == "1" and problem["type"] == "urn:lexifuse:problem:queue-full"
        with pytest.raises(ServiceError, match="429") as refused:
            Client(url, retries=0).explain("dark")
        assert refused.value.retry_after == 1
        patient = pool.submit(Client(url).fuse, SMALL[..., 0], SMALL)
        time.sleep(0.3)
        gate.set()
        assert all(job.result(30).image.shape == SMALL.shape for job in (*asked, patient))


def test_too_many_bytes_of_uploads_are_refused_in_words_of_their_own() -> None:
    settings = ServiceSettings(threads=1, max_bytes=64 * KILO, upload_limit=10)
    with serve_in_background(create_api(settings)) as url:
        uploads = [connect(url) for _ in range(10)]
        for connection in uploads:  # Nine tenths of each, so that none of them is done.
            connection.sendall(FORM + b"Content-Length: %d\r\n\r\n" % (64 * KILO) + PART + b"x" * 60_000)
        refused, _, _ = select.select(uploads, (), (), 10)
        status, headers, problem = answer(refused[0])
        for connection in uploads:
            connection.close()
    assert status == 429 and problem["type"] == "urn:lexifuse:problem:queue-full" and headers["retry-after"] == "1"
    assert problem["detail"] == "the uploads that are here already leave no room for another: try again in 1 s"


def test_a_fusion_beyond_the_time_limit_answers_504(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_service(monkeypatch, time_limit=0.3) as (url, _, _):
        with pytest.raises(ServiceError, match=r"504: not done within 0\.3 s"):
            Client(url).fuse(SMALL[..., 0], SMALL)
        assert Client(url).ready()


def test_what_a_client_gave_up_on_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_service(monkeypatch) as (url, gate, begun), ThreadPoolExecutor(1) as pool:
        first = pool.submit(Client(url).fuse, SMALL[..., 0], SMALL)
        wait_until(lambda: queue_of(url) == (1, 0))
        with pytest.raises(ServiceError, match="no answer"):
            Client(url, timeout=0.3, retries=0).fuse(SMALL[..., 0], SMALL)
        wait_until(lambda: queue_of(url) == (1, 0))
        gate.set()
        assert first.result(30).image.shape == SMALL.shape
        assert len(begun) == 1


def queue_of(url: str) -> tuple[int, int]:
    """How many run and wait, as the metrics tell."""
    found = metrics(url)
    return int(found["lexifuse_queue_running"]), int(found["lexifuse_queue_waiting"])


def metrics(url: str) -> dict[str, float]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}
