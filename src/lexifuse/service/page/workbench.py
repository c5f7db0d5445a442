"""The work behind the page, as it runs in the service's queue: pictures in, a fusion and what to show of it out."""

from __future__ import annotations

import io
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lexifuse.account import Account
from lexifuse.automatic import PixelReading, override, spoken_of
from lexifuse.errors import InputError
from lexifuse.fuser import Fuser
from lexifuse.fuser import Session as FusingSession
from lexifuse.instruction import Instruction
from lexifuse.language import Reading
from lexifuse.models import Model
from lexifuse.service.page.encoding import download, shown, thumbnail
from lexifuse.service.page.preview import QUICK_SECONDS, Base, Previewer, as_file
from lexifuse.service.page.report import boxes_json, report_json
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.store import Content, FileStore
from lexifuse.service.page.understanding import Ask, Loaded, Upload, looks_at_pictures, read_words, settled
from lexifuse.service.state import Service
from lexifuse.service.uploads import read_uploads

MOST_KEPT = 4
"""Pairs, each with a model, of which what is slow to make is kept, all visitors together: the fusion without words,
and 16 to 35 bytes a pixel that the network makes of pictures that it runs whole."""


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
        fused: bundle with ``fused`` to show, and ``fused.png``, ``report.json`` and ``panel.png``; ``boxes.json`` too
            where there is a detector.
        thumbnail: bundle with ``thumbnail``.
        boxes: whether there is a detector.
    """

    loaded: Loaded
    ask: Ask
    reading: Reading
    account: Account
    model: Model
    sources: str
    fused: str
    thumbnail: str
    boxes: bool = False


@dataclass(frozen=True, eq=False)
class Preview:
    """What a change will look like.

    Attributes:
        file: a small picture.
        instruction: what will be carried out.
    """

    file: Content
    instruction: Instruction


@dataclass(eq=False)
class _Kept:
    """What is kept of a pair and a model, as long as it is among the latest.

    Attributes:
        fusing: the open pair.
        plain: its fusion without words.
        bundle: of the files that never change.
        latest: the latest fusion.
        seen: what the pixels were taken for, once they were asked.
    """

    fusing: FusingSession
    plain: NDArray[Any]
    bundle: str
    latest: Base
    seen: PixelReading | None = None

    @cached_property
    def previewer(self) -> Previewer:
        """Made when the first preview is wanted."""
        return Previewer(self.fusing.fuser, self.fusing.pair)


class Workbench:
    """Loads pairs and fuses them with the service's models. Methods may be called from several threads."""

    def __init__(self, service: Service, store: FileStore) -> None:
        self._service = service
        self.store = store
        self._kept: OrderedDict[tuple[Loaded, str], _Kept] = OrderedDict()
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
        pair = replace(pair, name=Path(visible.name).stem or "pair")
        return Loaded(pair, names, resized=resize, uploads={"infrared": infrared, "visible": visible})

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
        kept.latest, kept.seen = Base.of(result), result.seen or kept.seen
        account = Account(loaded.pair, result, kept.plain)
        fused, small = self._add_result(loaded, account, fuser.model), self._add_thumbnail(result.image)
        boxes = self._service.engine.has_detector
        return Outcome(loaded, ask, read_words(ask.words), account, fuser.model, kept.bundle, fused, small, boxes)

    def preview(self, loaded: Loaded, ask: Ask) -> Preview | None:
        """What :meth:`fuse` will make, at a glance; raises as that does.

        None where the full picture is quick to make, and where there is nothing yet to start from: the pair was not
        fused by this model before, or its pixels were not looked at.
        """
        kept = self._known(loaded, self._service.engine.fuser(ask.model))
        if kept is None or kept.latest.seconds < QUICK_SECONDS:
            return None
        reading = settled(ask)
        asked = reading.instruction
        if looks_at_pictures(ask):
            if kept.seen is None:
                return None
            asked = override(kept.seen.instruction, asked, spoken_of(reading))
        heard = kept.fusing.weighed(asked, reading.by_hand).instruction
        return Preview(as_file(kept.previewer.look(kept.latest, (heard, reading.prompt))), heard)

    def prepare_preview(self, loaded: Loaded, ask: Ask) -> None:
        """Do what the first preview after a full picture would otherwise wait for."""
        kept = self._known(loaded, self._service.engine.fuser(ask.model))
        if kept is not None and kept.latest.seconds >= QUICK_SECONDS:
            kept.previewer.small(kept.latest.asked)

    def _known(self, loaded: Loaded, fuser: Fuser) -> _Kept | None:
        key = loaded, fuser.model.sha256
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, loaded: Loaded, fuser: Fuser) -> _Kept:
        kept, pair = self._known(loaded, fuser), loaded.pair
        if kept is None:
            fusing = FusingSession(fuser, pair)
            first = fusing.fuse()
            kept = _Kept(fusing, first.image, "", Base.of(first))
        elif self.store.touch(kept.bundle):
            return kept
        makers = {
            "infrared": partial(shown, pair.infrared),
            "visible": partial(shown, pair.visible),
            "plain": partial(shown, kept.plain),
            "infrared.png": partial(download, pair.infrared),
            "visible.png": partial(download, pair.visible, pair.alpha),
        }
        kept.bundle = self.store.add(makers, 2 * (pair.infrared.nbytes + pair.visible.nbytes + kept.plain.nbytes))
        with self._lock:
            self._kept[loaded, fuser.model.sha256] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _add_result(self, loaded: Loaded, account: Account, model: Model) -> str:
        image, alpha = account.result.image, account.result.alpha
        makers = {
            "fused": partial(shown, image),
            "fused.png": partial(download, image, alpha),
            "report.json": partial(report_json, account, loaded.names, model),
            "panel.png": lambda: download(account.panel()),
        }
        if self._service.engine.has_detector:
            makers["boxes.json"] = lambda: boxes_json(self._service.engine.detector(), image)
        return self.store.add(makers, 2 * image.nbytes)

    def _add_thumbnail(self, image: NDArray[Any]) -> str:
        small = thumbnail(image)
        return self.store.add({"thumbnail": lambda: small}, len(small.data))

    def _bytes(self, upload: Upload) -> bytes:
        content = self.store.get(upload.file, "upload")
        if content is None:
            raise InputError(f"'{upload.name}' is no longer held: drop it again")
        return content.data
