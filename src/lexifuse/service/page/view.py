"""What the page's own components are told: the pictures to compare, and the cards of samples, tries and prompts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lexifuse.models import DEFAULT_MODEL
from lexifuse.service.page.routes import url_of_file, url_of_sample
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.session import Session, Try
from lexifuse.service.page.workbench import Outcome

_LONGEST_TITLE = 120


def viewer_value(outcome: Outcome) -> dict[str, Any]:
    """The pictures for the viewer, each with its address and its text for those who do not see it."""
    pair, names = outcome.loaded.pair, outcome.loaded.names

    def picture(bundle: str, file: str, alt: str) -> dict[str, str]:
        return {"url": url_of_file(bundle, file), "alt": alt}

    return {
        "width": pair.width,
        "height": pair.height,
        "infrared": picture(outcome.sources, "infrared", f"Infrared picture, {names['infrared']}"),
        "visible": picture(outcome.sources, "visible", f"Visible picture, {names['visible']}"),
        "plain": picture(outcome.sources, "plain", "The two pictures fused without words"),
        "fused": picture(outcome.fused, "fused", f"Fused picture: {outcome.account.result.instruction}"),
    }


def drop_value(outcome: Outcome, which: str) -> dict[str, str]:
    """What a drop zone shows: ``which`` is ``infrared`` or ``visible``."""
    return {"url": url_of_file(outcome.sources, which), "name": outcome.loaded.names[which]}


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
