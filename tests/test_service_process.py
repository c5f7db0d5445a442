"""`lexifuse serve` from outside: stopped, unable to start, loaded by many clients, and fuzzed by its own document."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import lexifuse
from lexifuse.cli.serve import serve
from lexifuse.client import Client, ServiceError
from lexifuse.errors import LexifuseError, ModelError, OutputError, UsageError

pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

MEGA = 2**20
Files = tuple[Path, Path]
_log = logging.getLogger(__name__)


def metrics(url: str) -> dict[str, float]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, subprocess.Popen[str], list[str]]]:
    """Run ``lexifuse serve`` on a free port: its URL, the process, and its log, which grows."""
    command = [sys.executable, "-m", "lexifuse", "serve", "--port", "0", "--threads", "1", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stderr is not None
    log = [process.stderr.readline()]
    reader = threading.Thread(target=log.extend, args=(process.stderr,))
    reader.start()
    try:
        yield json.loads(log[0])["url"], process, log
    finally:
        process.kill()
        reader.join()
        process.stderr.close()
        process.wait()


def test_a_stop_answers_what_has_been_asked_and_leaves_with_0() -> None:
    rng = np.random.default_rng(0)
    infrared, visible = rng.integers(0, 256, (720, 960), np.uint8), rng.integers(0, 256, (720, 960, 3), np.uint8)
    with serving("--workers", "1") as (url, process, log), ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(Client(url).fuse, infrared, visible, "a private prompt: dark") for _ in range(2)]
        deadline = time.monotonic() + 60
        while metrics(url)["lexifuse_queue_waiting"] < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
        assert all(job.result(30).image.shape == visible.shape for job in jobs)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log]
    assert lines[-1]["message"] == "stopped"
    assert [line["status"] for line in lines if line.get("path") == "/v1/fuse"] == [200, 200]
    assert "private" not in "".join(log)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"port": "taken"}, OutputError, "choose another with --port"),
        ({"model": "nosuch"}, ModelError, "there is no model 'nosuch'"),
        ({"max_megapixels": 1000}, UsageError, "--max-megapixels must be more than 0 and at most 89, not 1000"),
        ({"max_megapixels": 0}, UsageError, "--max-megapixels must be"),
        ({"max_megapixels": float("inf")}, UsageError, "--max-megapixels must be .* not inf"),
        ({"max_megapixels": float("nan")}, UsageError, "--max-megapixels must be"),
        ({"log_level": "loud"}, UsageError, "--log-level takes"),
        ({"host": "999.1.1.1"}, OutputError, "999.1.1.1 port .* choose another with --host"),
        ({"host": "192.0.2.1"}, OutputError, "192.0.2.1 port .* choose another with --host"),
        ({"host": "a" * 64}, OutputError, "choose another with --host"),
        ({"api_keys": ",,"}, UsageError, r"--api-key \(LEXIFUSE_API_KEY\) is blank"),
        ({"api_keys": " "}, UsageError, r"--api-key \(LEXIFUSE_API_KEY\) is blank"),
        ({"api_keys": ""}, UsageError, r"--api-key \(LEXIFUSE_API_KEY\) is blank"),
        ({"origins": ","}, UsageError, r"--cors \(LEXIFUSE_CORS\) is blank"),
        ({"origins": "foo bar"}, UsageError, "'foo bar' is no web origin"),
    ],
)
def test_serve_says_why_it_cannot(options: dict[str, object], error: type[LexifuseError], said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(error, match=said):
        port = taken.getsockname()[1]
        serve(**{"threads": 1, **options, **({"port": port} if "port" in options else {})})  # type: ignore[arg-type]


def load(url: str, clients: int, seconds: float, most: int, pair: Files) -> tuple[Counter[int], list[float]]:
    """Ask from many threads, without patience: how often each status came, and the seconds each success took."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    left, lock, end = iter(range(most)), threading.Lock(), time.monotonic() + seconds

    def ask() -> None:
        client = Client(url, retries=0)
        while time.monotonic() < end:
            with lock:
                if next(left, None) is None:
                    return
            started = time.monotonic()
            try:
                client.fuse(*pair, "dark")
                status = 200
            except ServiceError as error:
                status = error.status
                time.sleep(0.05)
            with lock:
                statuses[status] += 1
                if status == 200:
                    times.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, times


@pytest.mark.parametrize(
    ("seconds", "most", "shape"),
    [
        pytest.param(3, 10_000, (48, 64), id="short"),
        pytest.param(60, 10**6, (240, 320), id="a minute", marks=pytest.mark.slow),
        pytest.param(600, 10_000, (16, 16), id="10,000 tiny requests", marks=pytest.mark.slow),
    ],
)
def test_64_clients_meet_no_error_but_429_and_memory_stays_flat(
    seconds: float, most: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    """Its figures are told by ``--log-cli-level=info``."""
    rng, pair = np.random.default_rng(0), (tmp_path / "ir.png", tmp_path / "visible.png")
    lexifuse.write_image(pair[0], rng.integers(0, 256, shape, np.uint8))
    lexifuse.write_image(pair[1], rng.integers(0, 256, (*shape, 3), np.uint8))
    with serving() as (url, _, _):
        load(url, 64, min(seconds / 4, 10), most, pair)
        before = metrics(url)["process_resident_memory_bytes"]
        statuses, times = load(url, 64, seconds, most, pair)
        grown = metrics(url)["process_resident_memory_bytes"] - before
    assert set(statuses) <= {200, 429} and statuses[200] > 0, statuses
    assert grown < 64 * MEGA
    p95 = float(np.percentile(times, 95))
    _log.info("%s, p95 of the answered %.2f s, memory %+.1f MB", dict(statuses), p95, grown / MEGA)


@pytest.mark.parametrize("examples", [4, pytest.param(300, marks=pytest.mark.slow)])
def test_the_service_keeps_to_its_openapi_document(examples: int, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="the fuzzer comes with lexifuse[dev]")
    # Random bytes are valid by the document but no picture, so that 4xx to "valid" data is no failure.
    command = [sys.executable, "-m", "schemathesis.cli", "run", "--checks", "all", "--max-examples", str(examples)]
    command += ["--exclude-checks", "positive_data_acceptance", "--seed", "1", "--generation-database", "none"]
    command += ["--warnings", "off"]
    with serving() as (url, _, _):
        done = subprocess.run(
            [*command, f"{url}/openapi.json"], cwd=tmp_path, capture_output=True, text=True, timeout=500
        )
    assert done.returncode == 0, done.stdout[-5000:]
