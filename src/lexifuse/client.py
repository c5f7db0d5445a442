"""A client for ``lexifuse serve``, on the standard library alone: wherever lexifuse is installed, it can call.

One call does one exchange, so there is nothing that an HTTP package would make better. ``urllib`` would not do: when a
service refuses an upload half-way, it loses the answer that says why.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError, LexifuseError, UsageError
from lexifuse.files import atomic_file
from lexifuse.images import Source, read_image, read_picture, write_image
from lexifuse.images.counts import checked_range, of_range
from lexifuse.instruction import Instruction
from lexifuse.language import Reading, read_prompt
from lexifuse.pixels import luma

FORMATS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "png": ("image/png", (".png",)),
    "jpeg": ("image/jpeg", (".jpg", ".jpeg")),
    "webp": ("image/webp", (".webp",)),
    "tiff": ("image/tiff", (".tif", ".tiff")),
}
"""Formats to ask for: media type and file suffixes."""


LONGEST_WAIT = 60.0
"""Seconds of waiting at most before a request is sent again; where the service asks for more, its answer is told."""


class ServiceError(LexifuseError):
    """The service could not be reached, said no, or is something else.

    Attributes:
        status: the HTTP status, 0 where there was no answer.
        problem: the answer's problem details (RFC 9457), empty where there were none.
        retry_after: seconds after which it may work, where the service said so.
    """

    def __init__(self, message: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = dict(problem or {})
        self.retry_after: float | None = None


@dataclass(frozen=True)
class RemoteFusion:
    """A fused picture as it came over the wire.

    Attributes:
        content: the picture file.
        media_type: of the file, such as ``image/png``.
        instruction: what was asked for.
        carried_out: what was done of it once the pixels had their say (:mod:`lexifuse.evidence`).
        model: name of the model that did it.
        notes: what the user should know, each one phrase.
        not_understood: words that carry a meaning but not one that is known there.
    """

    content: bytes
    media_type: str
    instruction: Instruction
    carried_out: Instruction
    model: str
    notes: tuple[str, ...]
    not_understood: tuple[str, ...] = ()

    @property
    def image(self) -> NDArray[Any]:
        """The picture decoded: (H, W, 3) RGB or (H, W), uint8, uint16 or float32 in 0..1."""
        with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
            path = Path(folder) / "fused"
            path.write_bytes(self.content)
            return read_image(path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file as it came; raises :class:`UsageError` if the suffix is another format's."""
        suffixes = next(suffixes for media_type, suffixes in FORMATS.values() if media_type == self.media_type)
        if Path(path).suffix.lower() not in suffixes:
            raise UsageError(f"'{path}' is to hold {self.media_type}: name it {suffixes[0]}, or ask for another format")
        with atomic_file(path) as file:
            file.write(self.content)


class Client:
    """Talks to one service. Has no state beyond its settings, so that threads may share it.

    Args:
        url: where the service is, such as ``http://127.0.0.1:8000``; may have a path.
        api_key: sent as ``X-API-Key``.
        timeout: seconds that the network may stay silent.
        retries: how often a request is sent again after the service said "later" (429, 503); 0 or more. Before each,
            the client waits as long as the service says, or a second; it gives up at once where that is more than
            :data:`LONGEST_WAIT`.

    Raises:
        UsageError: the address or the key cannot be one, or ``retries`` is negative.

    >>> Client("http://127.0.0.1:8000").fuse("ir.png", "visible.png", "it is dark").save("o.png")  # doctest: +SKIP
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, api_key: str = "", timeout: float = 60.0, retries: int = 3
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_valid_port(parts):
            raise UsageError(f"'{url}' is no address of a service: write for example http://127.0.0.1:8000")
        if not (api_key.isascii() and api_key.isprintable()):  # Else it could not be sent, or would be two headers.
            raise UsageError("an API key is ASCII text on one line: check what comes before and after it")
        if retries < 0:
            raise UsageError(f"retries must be 0 or more, not {retries}")
        self.url = url.rstrip("/")
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries

    def fuse(
        self,
        infrared: Source,
        visible: Source,
        prompt: str | Instruction | Reading | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        model: str = "",
        picture_format: str = "png",
        resize: bool = False,
        infrared_range: tuple[float, float] | None = None,
    ) -> RemoteFusion:
        """Fuse two pictures of one scene there.

        Args:
            infrared: a path (the file is sent as it is), a Pillow image, or an array (H, W).
            visible: a path, a Pillow image, or an array (H, W, 3) or (H, W).
            prompt: words, ``"auto"``, words that were read already, or an :class:`Instruction`, whose fields stand as
                settings do.
            settings: fields that override what the words said, such as ``{"visible.haze": 0.8}``.
            model: a name that :meth:`models` lists; the service's own where empty.
            picture_format: of the answer, one of :data:`FORMATS`.
            resize: bring an infrared picture of another size to the visible picture's.
            infrared_range: the values of the infrared picture that become black and white; see
                :func:`lexifuse.read_pair`.

        Raises:
            ServiceError: the service could not be reached, said no, or is something else.
            InputError: a picture cannot be read here.
            UsageError: there is no such format, the prompt is of another type, or the range is not two numbers.
        """
        if picture_format not in FORMATS:
            raise UsageError(f"unknown format '{picture_format}': choose from {', '.join(FORMATS)}")
        words, values = _asked(prompt)
        fields = [("prompt", words), ("format", picture_format)]
        fields += [("set", f"{key}={_spelled(value)}") for key, value in {**values, **(settings or {})}.items()]
        infrared, pictures = _in_range(infrared, infrared_range)
        fields += [("model", model), ("resize", str(resize).lower()), *pictures]
        answer = self._ask("POST", "/v1/fuse", *_form(fields, _files(infrared, visible)))
        return self._fusion(*answer, media_type=FORMATS[picture_format][0])

    def explain(self, prompt: str) -> dict[str, Any]:
        """What words are understood as, as ``lexifuse explain --json`` prints it."""
        content = json.dumps({"prompt": prompt}).encode()
        return self._json(*self._ask("POST", "/v1/explain", "application/json", content), expected="in_words")

    def inspect(
        self,
        infrared: Source,
        visible: Source,
        *,
        resize: bool = False,
        infrared_range: tuple[float, float] | None = None,
    ) -> dict[str, Any]:
        """What the pictures look like, as ``lexifuse inspect --json`` prints it."""
        infrared, pictures = _in_range(infrared, infrared_range)
        form = _form([("resize", str(resize).lower()), *pictures], _files(infrared, visible))
        return self._json(*self._ask("POST", "/v1/inspect", *form), expected="in_words")

    def models(self) -> list[dict[str, Any]]:
        """The cards of the models there, the service's own first."""
        return self._json(*self._ask("GET", "/v1/models"), expected="models")["models"]

    def ready(self) -> bool:
        """True if the service can be reached and takes requests."""
        try:
            return self._json(*self._exchange("GET", "/readyz", "", b""), expected="status")["status"] == "ready"
        except ServiceError:
            return False

    def _fusion(self, headers: Mapping[str, str], content: bytes, *, media_type: str) -> RemoteFusion:
        if headers.get("content-type", "").partition(";")[0] != media_type:
            raise self._stranger(headers)
        try:
            return RemoteFusion(
                content,
                media_type,
                Instruction.from_json(headers["x-lexifuse-instruction"]),
                Instruction.from_json(headers["x-lexifuse-carried-out"]),
                headers["x-lexifuse-model"],
                tuple(json.loads(headers["x-lexifuse-notes"])),
                tuple(json.loads(headers.get("x-lexifuse-not-understood", "[]"))),
            )
        except (KeyError, ValueError, UsageError) as error:
            raise self._stranger(headers) from error

    def _json(self, headers: Mapping[str, str], content: bytes, *, expected: str) -> dict[str, Any]:
        """An answer as the JSON object that it is, known by a field that it must have."""
        try:
            found = json.loads(content)
        except ValueError as error:
            raise self._stranger(headers) from error
        if not isinstance(found, dict) or expected not in found:
            raise self._stranger(headers)
        return found

    def _stranger(self, headers: Mapping[str, str]) -> ServiceError:
        """Somebody answered, but not as a service of this version does."""
        sent = headers.get("content-type", "").partition(";")[0] or "something else"
        return ServiceError(
            f"{self.url} is no lexifuse service, or one of another version (it sent {sent}): check the address", 200
        )

    def _ask(self, method: str, path: str, content_type: str = "", body: bytes = b"") -> tuple[dict[str, str], bytes]:
        """One exchange, and more of them while the service says "later"."""
        for attempts_left in range(self._retries, -1, -1):
            try:
                return self._exchange(method, path, content_type, body)
            except ServiceError as error:
                wait = 1.0 if error.retry_after is None else error.retry_after
                if error.status not in (429, 503) or not attempts_left or wait > LONGEST_WAIT:
                    raise
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _exchange(self, method: str, path: str, content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
        connection = self._connect(*self._address, timeout=self._timeout)
        headers = {"Content-Type": content_type} if content_type else {}
        if self._api_key:
            headers["X-API-Key"] = self._api_key
        try:
            # The service may refuse an upload before its end; its answer is there to be read all the same.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self._path + path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServiceError(f"no answer from {self.url} ({reason}): is `lexifuse serve` running there?") from error
        finally:
            connection.close()
        found = {key.lower(): value for key, value in response.getheaders()}
        if response.status != 200:
            raise _refusal(response.status, found, content)
        return found, content


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _refusal(status: int, headers: Mapping[str, str], content: bytes) -> ServiceError:
    problem: dict[str, Any] = {}
    if headers.get("content-type", "").startswith("application/problem+json"):
        with suppress(ValueError):  # Who else sends such a type may send anything; then it is told as it came.
            found = json.loads(content)
            problem = found if isinstance(found, dict) else {}
    said = " ".join(str(problem.get("detail") or content[:200].decode("utf-8", "replace")).split())
    error = ServiceError(f"the service answered {status}: {said}", status, problem)
    after = headers.get("retry-after", "")
    error.retry_after = float(after) if after.isdecimal() else None
    return error


def _files(infrared: Source, visible: Source) -> list[tuple[str, bytes]]:
    return [("infrared", _encoded(infrared, "infrared")), ("visible", _encoded(visible, "visible"))]


def _encoded(source: Source, what: str) -> bytes:
    """A picture as a file: the one that was named, else PNG; TIFF for grey floats, since colour of floats is not read
    by every service and goes as PNG of 16 bits.
    """
    if isinstance(source, (str, os.PathLike)):
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise InputError(
                f"the {what} picture '{source}' cannot be read ({error.strerror}): check the path"
            ) from error
    picture = read_picture(source, what)
    with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
        grey_float = picture.pixels.dtype == np.float32 and picture.pixels.ndim == 2
        path = Path(folder) / ("picture.tif" if grey_float else "picture.png")
        write_image(path, picture.pixels, alpha=picture.alpha)
        return path.read_bytes()


def _in_range(infrared: Source, infrared_range: tuple[float, float] | None) -> tuple[Source, list[tuple[str, str]]]:
    """An infrared picture and the field that says its range.

    What is no file may hold numbers that no picture file does, such as kelvin: it is brought to the range here.
    """
    if infrared_range is None:
        return infrared, []
    low, high = checked_range(infrared_range)
    if not isinstance(infrared, (str, os.PathLike)):
        measured = read_picture(infrared, "infrared", measured=True)
        infrared, _ = of_range(luma(measured.pixels), low, high)
        low, high = 0.0, 65535.0
    return infrared, [("infrared_range", f"{low!r},{high!r}")]


def _form(fields: list[tuple[str, str]], files: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Content type and body of a multipart form (RFC 7578); empty fields are left out."""
    boundary = secrets.token_hex(16)
    parts = [(f'name="{name}"', value.encode()) for name, value in fields if value]
    parts += [
        (f'name="{name}"; filename="{name}"\r\nContent-Type: application/octet-stream', data) for name, data in files
    ]
    opening = [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() for head, _ in parts]
    body = b"".join(start + data + b"\r\n" for start, (_, data) in zip(opening, parts, strict=True))
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _asked(prompt: str | Instruction | Reading | None) -> tuple[str, dict[str, Any]]:
    """What is sent of a request: words, and the fields that are to stand whatever the words say."""
    if prompt is None or isinstance(prompt, str):
        return prompt or "", {}
    if isinstance(prompt, Instruction):
        return "", _flat(prompt.to_dict())
    if not isinstance(prompt, Reading):
        raise UsageError(f"a prompt is words, an Instruction, a Reading or nothing, not {type(prompt).__name__}")
    # The service reads the words anew. What was set by hand since they were read is sent beside them.
    again = read_prompt(prompt.prompt)
    said, values = _flat(again.instruction.to_dict()), _flat(prompt.instruction.to_dict())
    by_hand = set(prompt.by_hand) - set(again.by_hand)
    return prompt.prompt, {key: value for key, value in values.items() if key in by_hand or value != said[key]}


def _flat(instruction: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON form of an instruction with one level: ``visible.haze`` and so on."""
    flat: dict[str, Any] = {}
    for key, value in instruction.items():
        flat.update(
            {f"{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
        )
    return flat


def _spelled(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
