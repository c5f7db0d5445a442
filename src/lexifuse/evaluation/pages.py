"""What all reports share: the HTML page, its style, pictures inside it, and how files are written."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import lexifuse
from lexifuse.files import atomic_file
from lexifuse.metrics.planes import eight_bit

THUMBNAIL = 220
"""Width of the pictures in pixels."""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1360px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2.6rem;border-bottom:1px solid #ddd;padding-bottom:.3rem}
h3{margin:1.8rem 0 .5rem;font-size:1.05rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:.32rem .6rem;text-align:right;border-bottom:1px solid #e6e8eb;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{font-weight:600;color:#555}
td.best{font-weight:700;background:#e7f3ea}tr.trivial td:first-child{font-style:italic;color:#666}
td small{display:block;color:#777;font-size:11px}
.notes{color:#555;font-size:14px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(400px,1fr));gap:1.2rem}
.plots svg{width:100%;height:auto}.maps{display:flex;flex-wrap:wrap;gap:1.6rem}
.case{display:flex;flex-wrap:wrap;gap:.6rem;padding:.3rem 0 1rem}figure{margin:0}
figure img{display:block;width:200px;border-radius:3px;background:#eee}
figcaption{font-size:12px;color:#444;margin-top:.2rem}
figure.focus img{outline:3px solid #0072b2}
"""


def page(title: str, introduction: str, body: str) -> str:
    """A whole HTML page without links to anything outside it; ``body`` is HTML, the rest plain text."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="notes">lexifuse {lexifuse.__version__}. {escape(introduction)}</p>{body}</body></html>\n'
    )


def figure(caption: str, image: NDArray[Any], focus: bool = False) -> str:
    """A picture of any depth, (H, W) or (H, W, 3) RGB, as a small JPEG inside the page."""
    small = _small(eight_bit(image))
    stored = small if small.ndim == 2 else np.ascontiguousarray(small[..., ::-1])
    _, data = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 82])
    source = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
    text = escape(caption)
    kind = ' class="focus"' if focus else ""
    return f'<figure{kind}><img src="{source}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole or not at all; returns its path."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))
    return path


def _small(image: NDArray[np.uint8]) -> NDArray[Any]:
    height, width = image.shape[:2]
    size = THUMBNAIL, max(1, round(height * THUMBNAIL / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if width > THUMBNAIL else cv2.INTER_NEAREST)
