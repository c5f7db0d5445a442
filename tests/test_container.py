"""The container's files: linted, consistent with the command line, and their steps run without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

from lexifuse.cli import app as command_line
from lexifuse.client import Client

yaml = pytest.importorskip("yaml", reason="PyYAML comes with lexifuse[dev]")
pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")

from lexifuse.service import ServiceSettings, create_api
from lexifuse.service.server import make_server, serve_in_background

ROOT = Path(__file__).parents[1]
VERBS = typer.main.get_command(command_line).commands  # type: ignore[attr-defined]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: name and the rest, lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in lines) if name]


def only(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def environment() -> dict[str, str]:
    return dict(part.split("=", 1) for part in only("ENV")[0].split())


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint comes with lexifuse[dev] on x86-64 Linux")
    linted = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_the_build_gets_what_it_copies_and_nothing_else() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for rest in only("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert copied == allowed and all((ROOT / name).exists() for name in copied)
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_container_is_not_root_and_says_what_the_command_line_knows() -> None:
    user, _, group = only("USER")[-1].partition(":")
    assert int(user) > 0 and int(group) > 0
    entry, command = json.loads(only("ENTRYPOINT")[0]), json.loads(only("CMD")[-1])
    assert entry == ["lexifuse"] and command == ["serve"] and "serve" in VERBS
    for service in services().values():
        (verb,) = service["command"]
        known = {option.envvar for option in VERBS[verb].params}
        asked = {name for name in environment() if name.startswith("LEXIFUSE_")} | set(service.get("environment", {}))
        assert asked <= known
    assert only("EXPOSE") == [environment()["LEXIFUSE_PORT"]]


@pytest.mark.parametrize(("name", "verb"), [("service", "serve"), ("app", "app")])
def test_compose_runs_it_with_no_more_rights_than_it_needs(name: str, verb: str) -> None:
    service = services()[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"] and service["mem_limit"] and service["pids_limit"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["command"] == [verb]
    patience = make_server(create_api(ServiceSettings())).config.timeout_graceful_shutdown
    assert patience is not None and int(service["stop_grace_period"].removesuffix("s")) > patience


def health_command() -> list[str]:
    (rest,) = only("HEALTHCHECK")
    return json.loads(rest.partition("CMD ")[2])


def test_the_health_check_tells_ready_from_not() -> None:
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        assert health(url) == 0
    assert health(url) == 1


def health(url: str) -> int:
    _, *arguments = health_command()
    assert any("http://127.0.0.1:8000" in argument for argument in arguments)
    command = [sys.executable, *(argument.replace("http://127.0.0.1:8000", url) for argument in arguments)]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


# ---- the steps themselves ----


def build(folder: Path) -> Path:
    """What the first stage does, in a folder; the virtual environment it makes."""
    context, made = folder / "build", folder / "opt"
    context.mkdir()
    for rest in only("COPY"):
        for name in rest.split()[:-1] if "--from" not in rest else ():
            source = ROOT / name
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, context / name, ignore=ignored) if source.is_dir() else shutil.copy(source, context)
    (script,) = only("RUN")
    script = script.replace("/opt/lexifuse", str(made)).replace("python -m", f"{sys.executable} -m", 2)
    built = subprocess.run(["sh", "-euc", script], cwd=context, capture_output=True, text=True, timeout=550)
    if built.returncode and "No matching distribution" in built.stderr:
        pytest.skip("no package index can be reached")
    assert built.returncode == 0, built.stderr
    return made


def read_only_but_for(scratch: Path) -> list[str]:
    """What goes before a command so that it finds the root file system read-only, as `docker run --read-only` does."""
    remount = f"mount --bind {scratch} {scratch} && mount -o remount,bind,ro / && ! touch {scratch.parent}/written"
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{remount} 2>/dev/null && exec "$@"', "-"]
    allowed = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if allowed else []


@pytest.mark.slow
def test_the_steps_give_a_service_that_writes_nowhere_but_in_tmp(tmp_path: Path) -> None:
    made = build(tmp_path)
    packages = {path.name.partition("-")[0] for path in made.glob("lib/python3*/site-packages/*.dist-info")}
    assert "lexifuse" in packages and "fastapi" in packages and not {"torch", "pip", "onnx"} & packages
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {**environment(), "PATH": f"{made}/bin:{os.environ['PATH']}", "TMPDIR": str(scratch)}
    variables |= {"LEXIFUSE_HOST": "127.0.0.1", "LEXIFUSE_PORT": str(port)}
    command = [*read_only_but_for(scratch), str(made / "bin" / "lexifuse"), *json.loads(only("CMD")[-1])]
    process = subprocess.Popen(command, cwd="/", env=variables, stderr=subprocess.PIPE, text=True)
    try:
        client = Client(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 120
        while not client.ready() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        assert client.fuse(picture[..., 0], picture, "dark").image.shape == picture.shape
    finally:
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert not list(scratch.iterdir())
