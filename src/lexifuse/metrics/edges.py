"""How well the edges of the sources are carried over (Qabf), and edges that no source has (Nabf)."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexifuse.metrics.planes import Field, Plane, same_size, strips


def edge_preservation(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """Qabf, how much of the strength and orientation of the sources' edges is in the fused image.

    Qabf = sum (Q_IR g_IR + Q_VIS g_VIS) / sum (g_IR + g_VIS), where g is the Sobel magnitude (zero border) and
    Q = 0.9994 / (1 + exp(-15 (G - 0.5))) * 0.9879 / (1 + exp(-22 (A - 0.8))), with G the ratio of the weaker to the
    stronger of both edges and A = 1 - |angle difference| / (pi / 2). Two habits of the programs that the literature's
    values come from are kept: where both edges are equally strong G is that strength (so that the first factor
    saturates), and angles lie in (-pi/2, pi/2] without wrapping around.

    Source: Xydeas, Petrović, "Objective image fusion performance measure", Electronics Letters 2000.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        0 .. 0.975, more is better; NaN when both sources are black (no edges to preserve).
    """
    responses = [_sobel(plane) for plane in same_size(infrared=infrared, visible=visible, fused=fused)]
    preserved = weight = 0.0
    for rows in strips(*responses[0][0].shape):
        *sources, out = (_edges(response, rows) for response in responses)
        for source in sources:
            preserved += float((_preserved(source, out) * source.strength).sum())
            weight += float(source.strength.sum())
    return preserved / weight if weight else math.nan


def fusion_artefacts(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """Nabf, the share of edge information in the fused image that comes from neither source.

    Nabf = sum over the pixels whose edge is stronger than in both sources of ((1 - Q_IR) w_IR + (1 - Q_VIS) w_VIS),
    divided by sum (w_IR + w_VIS). Here the Sobel kernels are divided by 8, the border is mirrored,
    w = g^1.5 where g >= 2 and 0.001 elsewhere, and Q is the root of 0.9999 / (1 + exp(-19 (G - 0.5))) times
    0.9995 / (1 + exp(-22 (A - 0.5))): the constants of the published program, not those of Qabf.

    Source: Petrović, Xydeas, "Objective image fusion performance characterisation", ICCV 2005, as modified by
    Shreyamsha Kumar, "Multifocus and multispectral image fusion based on pixel significance using discrete cosine
    harmonic wavelet transform", Signal, Image and Video Processing 2013.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        0 (no artefacts) .. 1; less is better.
    """
    planes = same_size(infrared=infrared, visible=visible, fused=fused)
    responses = [_sobel(plane, mirrored=True) for plane in planes]
    lost = weight = 0.0
    for rows in strips(*responses[0][0].shape):
        ir, vis, out = (_edges(response, rows, mirrored=True) for response in responses)
        added = (out.strength > ir.strength) & (out.strength > vis.strength)
        for source in (ir, vis):
            importance = np.where(source.strength >= 2, source.strength**1.5, 0.001)
            lost += float(np.sum((1 - _kept(source, out)) * importance, where=added))
            weight += float(importance.sum())
    return lost / weight


class _Edges(NamedTuple):
    strength: Field  # Sobel magnitude
    angle: Field  # (-pi/2, pi/2], of the line from left below to right above; pi/2 where nothing changes across


def _sobel(plane: Plane, mirrored: bool = False) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Responses of both Sobel kernels: to changes from left to right and from top to bottom."""
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    framed = cv2.copyMakeBorder(plane, 1, 1, 1, 1, border, value=(0,))
    across, down = (cv2.Sobel(framed, cv2.CV_16S, *order, ksize=3)[1:-1, 1:-1] for order in ((1, 0), (0, 1)))
    return across.astype(np.int16, copy=False), down.astype(np.int16, copy=False)


def _edges(responses: tuple[NDArray[np.int16], NDArray[np.int16]], rows: slice, mirrored: bool = False) -> _Edges:
    across, down = (response[rows].astype(np.float64) for response in responses)
    upright = across == 0
    angle = np.arctan(-down / np.where(upright, 1, across))
    angle[upright] = math.pi / 2
    if mirrored:
        angle[upright & (down == 0)] = 0
    strength = np.sqrt(across * across + down * down)
    return _Edges(strength / 8 if mirrored else strength, angle)


def _strength_ratio(one: Field, other: Field) -> Field:
    return np.minimum(one, other) / np.maximum(np.maximum(one, other), 1e-12)


def _sigmoid(value: Field, height: float, steepness: float, middle: float) -> Field:
    return height / (1 + cv2.exp(-steepness * (value - middle)))


def _preserved(source: _Edges, fused: _Edges) -> Field:
    ratio = _strength_ratio(source.strength, fused.strength)
    ratio = np.where(source.strength == fused.strength, fused.strength, ratio)
    angle = 1 - np.abs(source.angle - fused.angle) / (math.pi / 2)
    return _sigmoid(ratio, 0.9994, 15, 0.5) * _sigmoid(angle, 0.9879, 22, 0.8)


def _kept(source: _Edges, fused: _Edges) -> Field:
    ratio = _strength_ratio(source.strength, fused.strength)
    angle = np.abs(np.abs(source.angle - fused.angle) - math.pi / 2) / (math.pi / 2)
    return np.sqrt(_sigmoid(ratio, 0.9999, 19, 0.5) * _sigmoid(angle, 0.9995, 22, 0.5))
