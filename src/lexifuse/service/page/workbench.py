"""The work behind the page, as it runs in the service's queue: pictures in, a fusion and what to show of it out."""

from __future__ import annotations

import io
import tempfile
import threading
import weakref
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lexifuse.account import Account
from lexifuse.errors import InputError
from lexifuse.fuser import Fuser
from lexifuse.fuser import Session as FusingSession
from lexifuse.language import Reading
from lexifuse.models import Model
from lexifuse.service.page.encoding import download, shown, thumbnail
from lexifuse.service.page.report import report_json
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.session import Upload
from lexifuse.service.page.store import FileStore
from lexifuse.service.page.understanding import Ask, Loaded, looks_at_pictures, read_words, settled
from lexifuse.service.state import Service
from lexifuse.service.uploads import read_uploads


@dataclass(frozen=True, eq=False)
class Outcome:
    """A fusion and what the page shows of it.

    Attributes:
        loaded: the pair.
        ask: what the controls said.
        reading: how the words were understood, the sliders left out.
        account: the fusion beside the plain one.
        model: that made it.
        sources: bundle with ``infrared``, ``visible`` and ``plain`` to show, and ``infrared.png`` and ``visible.png``.
        fused: bundle with ``fused`` to show, and ``fused.png``, ``report.json`` and ``panel.png``.
        thumbnail: bundle with ``thumbnail``.
    """

    loaded: Loaded
    ask: Ask
    reading: Reading
    account: Account
    model: Model
    sources: str
    fused: str
    thumbnail: str


@dataclass(frozen=True, eq=False)
class _Kept:
    """What is made once per pair and model: the open pair, its plain fusion, the bundle of files that never change."""

    fusing: FusingSession
    plain: NDArray[Any]
    bundle: str


class Workbench:
    """Loads pairs and fuses them with the service's models. Methods may be called from several threads."""

    def __init__(self, service: Service, store: FileStore) -> None:
        self._service = service
        self.store = store
        self._kept: weakref.WeakKeyDictionary[Loaded, dict[str, _Kept]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def models(self) -> list[Model]:
        """The models to choose from, the service's own first."""
        return self._service.engine.models()

    def load_sample(self, key: str) -> Loaded:
        """A sample, rendered where it was not yet.

        Raises:
            InputError: there is no such sample.
        """
        sample = SAMPLES.get(key)
        if sample is None:
            raise InputError(f"there is no sample '{key}': reload the page")
        names = {"infrared": f"{key}_infrared.png", "visible": f"{key}_visible.png"}
        return Loaded(sample.pair(), names, words=sample.words)

    def load_uploads(self, infrared: Upload, visible: Upload, *, resize: bool) -> Loaded:
        """The pair that a visitor brought.

        Raises:
            ProblemError: a picture has too many pixels or is in an unknown format.
            InputError: a picture is damaged or was forgotten, or the two differ in size.
        """
        files = [io.BytesIO(self._bytes(one)) for one in (infrared, visible)]
        with tempfile.TemporaryDirectory(prefix="lexifuse-") as folder:
            limit = self._service.settings.max_pixels
            pair = read_uploads(files[0], files[1], Path(folder), max_pixels=limit, resize=resize)
        names = {"infrared": infrared.name, "visible": visible.name}
        return Loaded(replace(pair, name=Path(visible.name).stem or "pair"), names, resized=resize)

    def fuse(self, loaded: Loaded, ask: Ask) -> Outcome:
        """Fuse a pair as it is asked.

        Raises:
            ProblemError: there is no such model.
            LexifuseError: a field cannot be used.
        """
        fuser = self._service.engine.fuser(ask.model)
        kept = self._keep(loaded, fuser)
        result = kept.fusing.fuse(settled(ask), automatic=looks_at_pictures(ask))
        self._service.metrics.fusion_seconds.labels(fuser.model.name).observe(result.seconds)
        self._service.metrics.fused_pixels.inc(loaded.pair.height * loaded.pair.width)
        account = Account(loaded.pair, result, kept.plain)
        fused, small = self._add_result(loaded, account, fuser.model), self._add_thumbnail(result.image)
        return Outcome(loaded, ask, read_words(ask.words), account, fuser.model, kept.bundle, fused, small)

    def _keep(self, loaded: Loaded, fuser: Fuser) -> _Kept:
        with self._lock:
            by_model = self._kept.setdefault(loaded, {})
            found = by_model.get(fuser.model.sha256)
        if found is not None and self.store.touch(found.bundle):
            return found
        pair = loaded.pair
        fusing = found.fusing if found else FusingSession(fuser, pair)
        plain = found.plain if found else fusing.fuse().image
        makers = {
            "infrared": partial(shown, pair.infrared),
            "visible": partial(shown, pair.visible),
            "plain": partial(shown, plain),
            "infrared.png": partial(download, pair.infrared),
            "visible.png": partial(download, pair.visible, pair.alpha),
        }
        weight = 2 * (pair.infrared.nbytes + pair.visible.nbytes + plain.nbytes)
        kept = _Kept(fusing, plain, self.store.add(makers, weight))
        with self._lock:
            by_model[fuser.model.sha256] = kept
        return kept

    def _add_result(self, loaded: Loaded, account: Account, model: Model) -> str:
        image, alpha = account.result.image, account.result.alpha
        makers = {
            "fused": partial(shown, image),
            "fused.png": partial(download, image, alpha),
            "report.json": partial(report_json, account, loaded.names, model),
            "panel.png": lambda: download(account.panel()),
        }
        return self.store.add(makers, 2 * image.nbytes)

    def _add_thumbnail(self, image: NDArray[Any]) -> str:
        small = thumbnail(image)
        return self.store.add({"thumbnail": lambda: small}, len(small.data))

    def _bytes(self, upload: Upload) -> bytes:
        content = self.store.get(upload.file, "upload")
        if content is None:
            raise InputError(f"'{upload.name}' is no longer held: drop it again")
        return content.data
