"""A contact sheet: labelled pictures in rows, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.pixels import change_depth

_MARGIN, _LABEL, _FONT = 8, 26, 15
_PAPER, _INK = (250, 250, 248), (30, 30, 30)


def contact_sheet(
    rows: Sequence[Sequence[tuple[str, NDArray[Any]]]], *, cell: tuple[int, int] = (400, 300)
) -> NDArray[np.uint8]:
    """Lay out pictures with a label above each.

    Args:
        rows: of (label, picture); a picture is (H, W) or (H, W, 3), uint8, uint16 or float32 in 0..1.
        cell: width and height in pixels that each picture is fitted into, its proportions kept.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    width, height = cell
    columns = max(len(row) for row in rows)
    step_x, step_y = width + _MARGIN, height + _LABEL + _MARGIN
    sheet = Image.new("RGB", (columns * step_x + _MARGIN, len(rows) * step_y + _MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for y, row in enumerate(rows):
        for x, (label, picture) in enumerate(row):
            left, top = _MARGIN + x * step_x, _MARGIN + y * step_y
            draw.text((left, top), _fitted(label, width, font), fill=_INK, font=font)
            image = Image.fromarray(change_depth(picture, np.uint8)).convert("RGB")
            image.thumbnail(cell, Image.Resampling.LANCZOS)
            sheet.paste(image, (left, top + _LABEL - _MARGIN // 2))
    return np.asarray(sheet)


def _fitted(label: str, width: int, font: Any) -> str:
    """The label, cut with an ellipsis where it is wider than its picture."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label.rstrip() + "…"
