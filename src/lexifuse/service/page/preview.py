"""A change at a glance, until the full picture is made: the latest full picture, changed as a small one changes."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.fuser import Fuser, FusionResult
from lexifuse.highlight import bring_out
from lexifuse.instruction import Instruction
from lexifuse.pair import ImagePair
from lexifuse.pixels import change_depth
from lexifuse.service.page.store import Content

QUICK_SECONDS = 0.1
"""Where a full picture takes no longer than this, a preview of it would only flicker."""

SMALL_PIXELS = 80_000
"""Pixels of the pair that is fused for a preview."""

MOST_PIXELS = 500_000
"""Pixels of a preview; the viewer has hardly more room for it."""

_REMEMBERED = 6
_JPEG_QUALITY = 85
Asked = tuple[Instruction, str]
"""What is carried out, and the words behind it."""


@dataclass(frozen=True, eq=False)
class Base:
    """What a preview starts from: a full picture that was made.

    Attributes:
        view: at most :data:`MOST_PIXELS` of it; (h, w, 3) or (h, w) uint8.
        asked: how it was made.
        seconds: that it took.
    """

    view: NDArray[Any]
    asked: Asked
    seconds: float

    @classmethod
    def of(cls, result: FusionResult) -> Base:
        """A full picture as a base."""
        asked = result.carried_out, result.reading.prompt if result.reading else ""
        return cls(change_depth(_at_most(result.image, MOST_PIXELS), np.uint8), asked, result.seconds)


class Previewer:
    """Previews of one pair under changing requests.

    The pair is fused small, once as it is asked now and once as the latest full picture was; the difference, scaled up,
    is added to that picture. So fine detail stays sharp, and what a network makes of a small picture otherwise than of
    a large one cancels out. The network is told the statistics of the whole pair: noise and stripes fade as a picture
    shrinks, and tones would jump between a preview and the full picture.

    Methods may be called from several threads.

    Args:
        fuser: a loaded model.
        pair: that is worked on.
    """

    def __init__(self, fuser: Fuser, pair: ImagePair) -> None:
        self._fuser, self._pair = fuser, pair
        infrared, visible = (_at_most(image, SMALL_PIXELS) for image in (pair.infrared, pair.visible))
        self._small_pair = replace(pair, infrared=infrared, visible=visible, alpha=None)
        self._encoded = fuser.network.encode(self._small_pair.infrared, self._small_pair.visible)
        self._smalls: dict[Asked, NDArray[np.uint8]] = {}

    def look(self, base: Base, asked: Asked) -> NDArray[np.uint8]:
        """The preview of a request: (h, w, 3) or (h, w), in the size of the base's view.

        Args:
            base: the latest full picture.
            asked: what shall be carried out.
        """
        now, before = self.small(asked), self.small(base.asked)
        wished, had = asked[0].highlight, base.asked[0].highlight
        if set(wished) != set(had):  # Else the full picture has it as it shall be.
            now = bring_out(self._small_pair, now, wished)[0]
            before = bring_out(self._small_pair, before, had)[0]
        change = now.astype(np.int16) - before
        height, width = base.view.shape[:2]
        changed = base.view + cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.clip(changed, 0, 255).astype(np.uint8)

    def small(self, asked: Asked) -> NDArray[np.uint8]:
        """The small pair fused as asked, nothing brought out yet; remembered for a while."""
        found = self._smalls.get(asked)
        if found is None:
            conditioning = self._fuser.conditioner.tell(self._pair, *asked).conditioning
            made = self._fuser.network.decode(self._encoded, conditioning)
            found = change_depth(self._fuser.finish(made, self._small_pair.visible, asked[0]), np.uint8)
            self._smalls[asked] = found
            for oldest in list(self._smalls)[:-_REMEMBERED]:
                self._smalls.pop(oldest, None)
        return found


def as_file(preview: NDArray[np.uint8]) -> Content:
    """A preview as a JPEG file, which takes a tenth of the time of a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(preview).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return Content(file.getvalue(), "image/jpeg")


def _at_most(image: NDArray[Any], pixels: int) -> NDArray[Any]:
    """A picture made smaller, its proportions kept, where it has more pixels."""
    height, width = image.shape[:2]
    if height * width <= pixels:
        return image
    scale = (pixels / (height * width)) ** 0.5
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
