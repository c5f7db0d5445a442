"""Ways to run a model's network, each as something to time: the whole fusion, ONNX Runtime alone, OpenVINO."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.fuser import Fuser, Session, load
from lexifuse.graphs import OPENVINO, open_graph
from lexifuse.instruction import DEGRADATIONS, PLAIN, SEVERE, SLIGHT, Instruction
from lexifuse.language.plain_words import say
from lexifuse.openvino_graphs import OpenVinoGraph, openvino_is_here, precisions
from lexifuse.pair import ImagePair
from lexifuse.runtime import WHOLE_PIXELS, ask_graph

WHOLE = "lexifuse"
"""The label of the whole fusion: to floats, pad or tile, run, blend, and back to 8 bits."""

ORT = "ONNX Runtime"

FIRST_WORDS, OTHER_WORDS = "first words", "other words"


@dataclass(frozen=True, eq=False)
class Engine:
    """A loaded network.

    Attributes:
        label: its name in tables.
        threads: CPU threads.
        prepare: (width, height) -> what is timed, or None where the engine cannot take that size.
    """

    label: str
    threads: int
    prepare: Callable[[int, int], Callable[[], object] | None]


def engines(name: str, threads: int, seed: int) -> list[Engine]:
    """All engines that are installed, for one model and one number of threads.

    Args:
        name: of the model, or its folder.
        threads: CPU threads.
        seed: of the pictures.
    """
    fuser = load(name, threads=threads)
    inputs, graphs = _Inputs(fuser, seed), fuser.model.graphs()

    def whole(label: str, fuser: Fuser) -> Engine:
        def prepare(width: int, height: int) -> Callable[[], object]:
            pair = picture_pair(width, height, seed)
            return lambda: fuser.fuse_pair(pair)

        return Engine(label, threads, prepare)

    def network(label: str, sessions: Sequence[Any]) -> Engine:
        def prepare(width: int, height: int) -> Callable[[], object] | None:
            feed = inputs.make(width, height)
            return None if feed is None else lambda: _in_turn(sessions, feed)

        return Engine(label, threads, prepare)

    found = [whole(WHOLE, fuser), network(ORT, [ort_session(content, threads) for content in graphs])]
    if openvino_is_here():
        found.append(whole(f"{WHOLE}, OpenVINO", load(name, threads=threads, provider=OPENVINO)))
        for precision in precisions():
            sessions = [OpenVinoGraph(content, threads=threads, precision=precision) for content in graphs]
            found.append(network(f"OpenVINO {precision}", sessions))
    return found


def words(name: str, threads: int, size: tuple[int, int], seed: int) -> dict[str, Callable[[], object]]:
    """What a user waits for who tries words: the first for a pair, and others for the same pair; always new ones.

    Args:
        name: of the model, or its folder.
        threads: CPU threads.
        size: width and height of the pair.
        seed: of the pictures.
    """
    fuser, pair = load(name, threads=threads), picture_pair(*size, seed)
    severities = (SLIGHT, PLAIN, SEVERE)
    several = product(combinations(DEGRADATIONS, 2), severities)
    sentences = cycle([say(dict.fromkeys(names, severity)) for names, severity in several])
    session = Session(fuser, pair)
    session.fuse()
    return {
        FIRST_WORDS: lambda: fuser.fuse_pair(pair, next(sentences)),
        OTHER_WORDS: lambda: session.fuse(next(sentences)),
    }


def picture_pair(width: int, height: int, seed: int) -> ImagePair:
    """A pair of random 8-bit pictures (no network here takes longer for one picture than for another)."""
    rng = np.random.default_rng(seed)
    infrared = rng.integers(0, 256, (height, width), np.uint8)
    return ImagePair(infrared, rng.integers(0, 256, (height, width, 3), np.uint8))


def ort_session(content: bytes, threads: int, profile: str = "") -> Any:
    """An ONNX Runtime session on the CPU; ``profile`` is the beginning of a profile's file name."""
    return open_graph(content, "the network", threads=threads, profile=profile)


def traffic(name: str, width: int, height: int) -> float:
    """Gigabytes that the network's operators read and write for one pair, by ONNX Runtime's own profile.

    Every operator counts its inputs, weights and outputs; what two operators find in a cache counts all the same.
    """
    fuser = load(name)
    feed = _Inputs(fuser, 0).make(width, height)
    if feed is None:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        contents = enumerate(fuser.model.graphs())
        sessions = [ort_session(content, 0, str(Path(folder) / f"profile{index}")) for index, content in contents]
        _in_turn(sessions, feed)
        files = [Path(session.end_profiling()) for session in sessions]
        events = [event for file in files for event in json.loads(file.read_text(encoding="utf-8"))]
    sizes = ("activation_size", "parameter_size", "output_size")
    return sum(float(event["args"].get(size, 0)) for event in events if "args" in event for size in sizes) / 1e9


def _in_turn(sessions: Sequence[Any], feed: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """Run the graphs of a model one after the other, each on what it takes of all that there is."""
    for session in sessions:
        feed = {**feed, **ask_graph(session, feed)}
    return feed


class _Inputs:
    """What the network itself takes, for sizes that the fusion runs in one piece."""

    def __init__(self, fuser: Fuser, seed: int) -> None:
        self.fuser = fuser
        self.seed = seed

    def make(self, width: int, height: int) -> dict[str, NDArray[np.float32]] | None:
        """Padded input of random pictures, or None where the fusion would tile."""
        if width * height > WHOLE_PIXELS:
            return None
        multiple = self.fuser.model.card.size_multiple
        size = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        rng = np.random.default_rng(self.seed)
        return {
            "infrared": rng.random((1, 1, *size), np.float32),
            "visible": rng.random((1, 3, *size), np.float32),
            "conditioning": self.fuser.conditioning(picture_pair(64, 48, self.seed), Instruction())[None],
        }
