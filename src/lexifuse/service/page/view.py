"""What the page's own components are told: the pictures to compare, and the cards of samples, tries and prompts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from lexifuse.models import DEFAULT_MODEL
from lexifuse.service.page.routes import url_of_boxes, url_of_file, url_of_sample
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.session import Session, Try
from lexifuse.service.page.understanding import Upload
from lexifuse.service.page.workbench import Outcome, Preview

_LONGEST_TITLE = 120


def viewer_value(outcome: Outcome, turn: int = 0, *, more: bool = False) -> dict[str, Any]:
    """The pictures for the viewer, each with its address and its text for those who do not see it.

    Args:
        outcome: a fusion.
        turn: of the visitor; the viewer takes no preview of an earlier one any more.
        more: the viewer shall say when it has drawn this.
    """
    pair, names = outcome.loaded.pair, outcome.loaded.names

    def picture(bundle: str, file: str, alt: str) -> dict[str, str]:
        return {"url": url_of_file(bundle, file), "alt": alt}

    return {
        "turn": turn,
        "more": more,
        "width": pair.width,
        "height": pair.height,
        "infrared": picture(outcome.sources, "infrared", f"Infrared picture, {names['infrared']}"),
        "visible": picture(outcome.sources, "visible", f"Visible picture, {names['visible']}"),
        "plain": picture(outcome.sources, "plain", "The two pictures fused without words"),
        "fused": picture(outcome.fused, "fused", f"Fused picture: {outcome.account.result.carried_out}"),
        "boxes": url_of_boxes(outcome.fused) if outcome.boxes else "",
    }


def preview_value(viewed: dict[str, Any], preview: Preview, turn: int) -> dict[str, Any]:
    """The same with a preview in place of the fused picture; it comes along, which saves the browser a request.

    Args:
        viewed: what the viewer was told of the latest full picture of the pair.
        preview: to show until the next one is there.
        turn: of the visitor.
    """
    url = f"data:{preview.file.media_type};base64,{b64encode(preview.file.data).decode()}"
    return {**viewed, "turn": turn, "more": True, "preview": {"url": url, "alt": f"Preview: {preview.instruction}"}}


def drop_value(outcome: Outcome, uploads: Mapping[str, Upload], which: str) -> dict[str, str]:
    """What a drop zone shows: the picture that was fused, or else the name of one that is not at work yet.

    Args:
        outcome: a fusion.
        uploads: what the visitor brought.
        which: ``infrared`` or ``visible``.
    """
    brought = uploads.get(which)
    if not uploads or (brought and brought == outcome.loaded.uploads.get(which)):
        return {"url": url_of_file(outcome.sources, which), "name": outcome.loaded.names[which]}
    return {"url": "", "name": brought.name if brought else ""}


def sample_cards() -> list[dict[str, Any]]:
    """A card per sample."""
    return [
        {"id": sample.key, "url": url_of_sample(sample.key), "title": sample.title, "alt": ""}
        for sample in SAMPLES.values()
    ]


def try_cards(session: Session) -> list[dict[str, Any]]:
    """A card per try of the history, the latest first."""
    return cards(reversed(session.tries), session.current)


def cards(tries: Iterable[Try], current: int = 0) -> list[dict[str, Any]]:
    """A card per try."""
    return [
        {
            "id": one.number,
            "url": url_of_file(one.file, "thumbnail"),
            "title": one.title,
            "alt": "",
            "current": one.number == current,
        }
        for one in tries
    ]


def title_of(outcome: Outcome) -> str:
    """A try in a few words: what was typed, else what is done."""
    ask = outcome.ask
    parts = [ask.words.strip()] if ask.words.strip() else []
    parts += ["looked at the pictures"] if ask.automatic else []
    parts += [f"{name} {_short(value)}" for name, value in ask.by_hand.items()]
    parts += [ask.model] if ask.model not in ("", DEFAULT_MODEL) else []
    title = "; ".join(parts) or "without words"
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) or "none" if isinstance(value, list) else f"{value:g}"
