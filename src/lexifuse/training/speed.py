"""How fast a model is beside the papers' kind of network, all in one run: Text-IF and a plain convolutional network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from lexifuse.fuser import Fuser
from lexifuse.instruction import Instruction
from lexifuse.pair import ImagePair
from lexifuse.training.networks.text_if import TextIF

PLAIN_GMAC = 51.0
"""Cost of the convolutional network at 640x480, which is that of SeAFusion (Tang 2022) as measured by others."""

_CHANNELS, _DEPTH = 64, 4  # of the convolutional network: four 3x3 convolutions of 64 channels make 45 of the 51 GMAC
_LAST = 27
_TEXT_WIDTH = 512
_TURN = 0.5  # seconds: who is faster runs again and again, as it would in a stream of pictures


@dataclass(frozen=True)
class Racer:
    """One network and how long it took.

    Attributes:
        label: what it is, and in which engine.
        seconds: median for one pair.
        times: how many times longer that is than what the first racer took; the median over rounds.
    """

    label: str
    seconds: float
    times: float


class PlainConvolutions(nn.Sequential):
    """A network of 3x3 convolutions at full size; (1, 2, H, W) to (1, 1, H, W)."""

    def __init__(self) -> None:
        widths = (2, *(_CHANNELS,) * (_DEPTH + 1), _LAST, 1)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(0.1)]
        super().__init__(*layers)

    def gmac(self, width: int, height: int) -> float:
        """Multiply-accumulates for a picture of that size, in 1e9."""
        weights = sum(layer.weight.numel() for layer in self if isinstance(layer, nn.Conv2d))
        return weights * width * height / 1e9


def race(
    fuser: Fuser,
    *,
    width: int = 640,
    height: int = 480,
    rounds: int = 3,
    threads: int = 0,
    paper: nn.Module | None = None,
    engine: str = "ONNX Runtime",
    advance: Callable[[], None] = lambda: None,
) -> list[Racer]:
    """Time a model, the convolutional network and Text-IF by turns, so that a slow moment hits them alike.

    Args:
        fuser: the model, loaded with as many threads.
        width: of the pair, pixels.
        height: likewise.
        rounds: counted rounds, after one of warming up that Text-IF sits out.
        threads: CPU threads of PyTorch; its own choice where 0.
        paper: the network of the paper; Text-IF at paper width where None.
        engine: what the model runs in, for its label.
        advance: called after every turn.
    """
    if threads:
        torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    infrared, visible = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, width), (height, width, 3)))
    pair, asked = ImagePair(infrared, visible), Instruction().with_values({"visible.low_light": 0.6})
    plain, published = PlainConvolutions().eval(), (paper or TextIF()).eval()
    planes = torch.rand(1, 1, height, width), torch.rand(1, 3, height, width)
    text = torch.rand(1, 1, _TEXT_WIDTH)
    both = torch.rand(1, 2, height, width)
    encoded, conditioning = fuser.network.encode(infrared, visible), fuser.conditioning(pair, asked)
    runs: dict[str, Callable[[], object]] = {
        f"{fuser.model.name}, network alone, {engine}": lambda: fuser.network.decode(encoded, conditioning),
        f"{fuser.model.name}, pictures in and out, {engine}": lambda: fuser.fuse_pair(pair, asked),
        f"{plain.gmac(width, height):.0f} GMAC of 3x3 convolutions, PyTorch": _quietly(lambda: plain(both)),
        "Text-IF at paper width, PyTorch": _quietly(lambda: published(*planes, text)),
    }
    for run in list(runs.values())[:-1]:
        run()
    times: dict[str, list[float]] = {label: [] for label in runs}
    for _ in range(rounds):
        for label, run in runs.items():
            times[label].append(_turn(run))
            advance()
    first = next(iter(times.values()))
    return [
        Racer(label, statistics.median(found), statistics.median(a / b for a, b in zip(found, first, strict=True)))
        for label, found in times.items()
    ]


def _turn(run: Callable[[], object]) -> float:
    """Seconds of one run, the median over a turn."""
    found: list[float] = []
    while sum(found) < _TURN:
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def _quietly(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same without gradients."""

    def without_gradients() -> Tensor:
        with torch.inference_mode():
            return run()

    return without_gradients
