"""What a service is told when it starts: how much it works at once, and the limits it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lexifuse.errors import UsageError
from lexifuse.models import DEFAULT_MODEL

MAX_PROMPT = 4_000
"""Longest prompt, characters."""

MAX_TEXT_BYTES = 64 * 1024
"""Largest request body that is not multipart, bytes."""

PIXEL_CEILING = 89_000_000
"""Highest pixel limit that can be set; beyond it Pillow takes a picture's header for a decompression bomb."""

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""What a browser sends as ``Origin`` from a page that has one, or all of it; ``null`` is nobody's."""


def pixel_limit(megapixels: float) -> int:
    """``--max-megapixels`` in pixels.

    Raises:
        UsageError: it is out of range, or no number.
    """
    highest = PIXEL_CEILING / 1e6
    if not 1e-6 <= megapixels <= highest:
        raise UsageError(f"--max-megapixels must be more than 0 and at most {highest:g}, not {megapixels:g}")
    return round(megapixels * 1e6)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings of one service.

    Attributes:
        model: the model that a request without one gets; a name or the folder of an exported model.
        detector: a detector's name or folder; the first in the package where empty, none where there is none.
        workers: fusions at a time.
        threads: CPU threads per model; all cores where 0.
        provider: where models run: ``cpu``, ``cuda``, ...
        queue: requests that may wait for a worker; one more is answered 429.
        time_limit: seconds from a request's last byte to its answer, waiting included.
        upload_limit: seconds for a request's body to arrive.
        max_bytes: largest request body.
        max_pixels: largest picture, looked up in its header before anything is decoded.
        api_keys: any of these opens ``/v1/``; no key is asked for where there are none.
        origins: web origins that may call from a browser (CORS); ``*`` allows all.

    Raises:
        UsageError: a number is out of range, a key is blank or an origin is none.
    """

    model: str = DEFAULT_MODEL
    detector: str = ""
    workers: int = 2
    threads: int = 0
    provider: str = "cpu"
    queue: int = 32
    time_limit: float = 30.0
    upload_limit: float = 30.0
    max_bytes: int = 64 * 2**20
    max_pixels: int = 40_000_000
    api_keys: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("workers", 1, 256),
            ("threads", 0, 1024),
            ("queue", 0, 100_000),
            ("time_limit", 0.01, 3600),
            ("upload_limit", 0.01, 3600),
            ("max_bytes", 1024, 2**40),
            ("max_pixels", 1, PIXEL_CEILING),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} must be from {low:,} to {high:,}, not {value:,}")
        if any(not key.strip() or not key.isascii() for key in self.api_keys):
            raise UsageError("an API key must be ASCII text and not blank: leave it out to ask for none")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(
                    f"'{origin}' is no web origin: it must be scheme://host or scheme://host:port in lower case, "
                    "with nothing behind it, or * for all"
                )
