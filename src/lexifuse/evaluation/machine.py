"""What a machine is, and what a fresh process of lexifuse costs on it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from lexifuse.errors import ModelError

_PACKAGES = ("lexifuse", "numpy", "onnxruntime", "openvino", "opencv-python-headless")
_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd")
_CHILD = """
import json, sys, time
started = time.perf_counter()
import lexifuse
import numpy as np
from lexifuse.pair import ImagePair
imported = time.perf_counter()
model, width, height, threads = sys.argv[1], *map(int, sys.argv[2:5])
fuser = lexifuse.load(model, threads=threads)
loaded = time.perf_counter()
rng = np.random.default_rng(0)
pair = ImagePair(rng.integers(0, 256, (height, width), np.uint8), rng.integers(0, 256, (height, width, 3), np.uint8))
prepared = time.perf_counter()
fuser.fuse_pair(pair)
fused = time.perf_counter()
peak = None
if sys.platform == "linux":  # ru_maxrss would count the parent's memory before this program was started
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
elif sys.platform == "darwin":
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"import": imported - started, "load": loaded - imported, "fuse": fused - prepared, "peak": peak}))
"""


def machine_facts() -> dict[str, Any]:
    """The processor, its cores and vector units, memory, system and package versions, and the load right now."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "vector_units": _vector_units(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "load_average": None,
    }
    with suppress(OSError, AttributeError):
        facts["load_average"] = round(os.getloadavg()[0], 2)
    return facts


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def fresh_process(model: str, width: int, height: int, threads: int) -> dict[str, float | None]:
    """Fuse one pair in a new process.

    Args:
        model: name or folder.
        width: of the pair, pixels.
        height: of the pair, pixels.
        threads: CPU threads, 0 for all.

    Returns:
        Seconds of ``import``, ``load`` and first ``fuse``, and the ``peak`` resident memory in bytes (None on systems
        that do not tell).

    Raises:
        ModelError: the process failed.
    """
    command = [sys.executable, "-c", _CHILD, model, str(width), str(height), str(threads)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"a fresh process with model '{model}' failed ({reason}): try `lexifuse fuse` with it")
    return json.loads(done.stdout)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    found = _cpuinfo("model name")
    return found or platform.processor() or platform.machine()


def _vector_units() -> list[str]:
    flags = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return [name for name in _FLAGS if name in flags]


def _cpuinfo(field: str) -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return ""


def _memory() -> float | None:
    with suppress(OSError, ValueError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None
