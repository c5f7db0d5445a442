"""What a detector looks at: a pair and words in, the picture that a source, a model or a network in training makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lexifuse.fuser import load
from lexifuse.training.bilevel_trainer import fusion_source
from lexifuse.training.families import TextToPixelsFamily
from lexifuse.training.text_encoders import TextEncoder

Picture = NDArray[np.uint8]

Look = Callable[[Picture, Picture, str], Picture]
"""Infrared (H, W), visible (H, W, 3) RGB and words to a picture (H, W, 3) RGB, all uint8."""


def look_at(pictures: str) -> Look:
    """Pictures as they are: ``visible``, ``infrared``, the brighter of both (``max``), or a model without words.

    Raises:
        ModelError: there is no such model.
    """
    if pictures == "visible":
        return lambda _infrared, visible, _words: visible
    if pictures == "infrared":
        return lambda infrared, _visible, _words: _grey(infrared)
    if pictures == "max":
        return lambda infrared, visible, _words: _grey(np.maximum(infrared, cv2.cvtColor(visible, cv2.COLOR_RGB2GRAY)))
    fuser = load(pictures, threads=1)

    def fused(infrared: Picture, visible: Picture, _words: str) -> Picture:
        return fuser.fuse(infrared, visible).image

    return fused


def look_through(checkpoint: Path, encoder: TextEncoder | None = None) -> Look:
    """What the averaged From Text to Pixels of a checkpoint makes of a pair under words.

    Args:
        checkpoint: of its training, alone or together with a detector.
        encoder: the text encoder, where it is another than ``embedded``.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: it holds another network.
    """
    source = fusion_source(checkpoint)
    family, network = TextToPixelsFamily(source.recipe, encoder), source.network.eval()
    device = torch.device("cpu")

    @torch.no_grad()
    def fused(infrared: Picture, visible: Picture, words: str) -> Picture:
        planes: list[Any] = [
            torch.from_numpy(np.ascontiguousarray(plane, np.float32) / 255)[None] for plane in (infrared, visible)
        ]
        picture = network(planes[0][None], planes[1].permute(0, 3, 1, 2), *family.hear([words], device))[0]
        return (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()

    return fused


def _grey(picture: Picture) -> Picture:
    return np.repeat(picture[..., None], 3, axis=2)
