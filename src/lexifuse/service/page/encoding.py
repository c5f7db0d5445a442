"""Arrays as files for the browser: lossless and quick to make, because every change on the page waits for one."""

from __future__ import annotations

import io
import tempfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.images import longest_side, write_image
from lexifuse.pixels import change_depth
from lexifuse.service.page.store import Content

LOSSLESS_PIXELS = 3_000_000
"""Pictures up to this size, and those too long for JPEG, are shown as PNG, larger ones as JPEG of high quality;
downloads are always PNG."""

_JPEG_QUALITY = 95
_THUMBNAIL = (240, 180)
_THUMBNAIL_QUALITY = 85


def shown(image: NDArray[Any]) -> Content:
    """A picture, (H, W) or (H, W, 3), as the page shows it: all of its pixels, 8 bits."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(change_depth(image, np.uint8)))
    file = io.BytesIO()
    if image.shape[0] * image.shape[1] <= LOSSLESS_PIXELS or max(image.shape[:2]) > longest_side(".jpg"):
        picture.save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)  # As for files: quick, and small enough.
        return Content(file.getvalue(), "image/png")
    picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return Content(file.getvalue(), "image/jpeg")


def thumbnail(image: NDArray[Any]) -> Content:
    """A small JPEG of a picture, its proportions kept."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(_THUMBNAIL[0] / width, _THUMBNAIL[1] / height, 1.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(change_depth(small, np.uint8)).save(file, "JPEG", quality=_THUMBNAIL_QUALITY)
    return Content(file.getvalue(), "image/jpeg")


def download(image: NDArray[Any], alpha: NDArray[Any] | None = None) -> Content:
    """A picture in its own depth, with its alpha, as a PNG file: what ``lexifuse fuse`` writes."""
    with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
        path = Path(folder) / "picture.png"
        write_image(path, image, alpha=alpha)
        return Content(path.read_bytes(), "image/png")
