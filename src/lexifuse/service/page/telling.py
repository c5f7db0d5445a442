"""The account in plain words, as HTML: what was understood, what was done, what was not, and what can be kept."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from lexifuse.account import UNCHANGED
from lexifuse.automatic import is_automatic
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language import Reading
from lexifuse.language.plain_words import SEVERE_FROM, SLIGHT_BELOW
from lexifuse.service.page.routes import url_of_file
from lexifuse.service.page.understanding import values_of
from lexifuse.service.page.workbench import Outcome

LABELS = {
    "visible.low_light": "dark",
    "visible.over_exposure": "over-exposed",
    "visible.noise": "noisy",
    "visible.haze": "hazy",
    "visible.rain": "rainy",
    "visible.blur": "blurred",
    "infrared.low_contrast": "flat",
    "infrared.noise": "noisy",
    "infrared.stripes": "striped",
    "balance": "balance",
    "keep_colour": "keep the colours",
    "keep_texture": "keep fine texture",
    "highlight": "bring out",
}
"""The controls' names on the page."""


def tell(outcome: Outcome, notice: str = "") -> str:
    """The account of a fusion.

    Args:
        outcome: the fusion.
        notice: HTML to stand above it.
    """
    result, reading = outcome.account.result, outcome.reading
    lines = [_line("Done", escape(_sentence(str(result.carried_out))))]
    if reading.understood:
        marked = (f"<mark>{escape(words)}</mark> {_field(name, reading)}" for words, name in reading.understood)
        lines.append(_line("From your words", ", ".join(marked)))
    if reading.denied:
        lines.append(_line("Left alone", escape(_names(reading.denied))))
    if result.seen is not None:
        lines.append(_line("The pictures say", escape(_sentence(_damage(result.seen.instruction)))))
    if outcome.ask.by_hand:
        by_hand = ", ".join(f"{field_name(name)} {_value(value)}" for name, value in outcome.ask.by_hand.items())
        lines.append(_line("By hand", escape(by_hand)))
    if reading.corrections:
        lines.append(_line("Read as", escape(", ".join(f"{word} → {new}" for word, new in reading.corrections))))
    if reading.not_understood and not is_automatic(reading.prompt):
        lines.append(_line("Not understood", escape(", ".join(reading.not_understood)), doubt=True))
    if reading.unsure:
        lines.append(_line("Unsure about", escape(_names(reading.unsure)) + "; the sliders settle it", doubt=True))
    lines += [_line("Note", escape(note), doubt=True) for note in outcome.account.notes]
    change = outcome.account.change
    changed = f"{change:.1f} of 255 away from the fusion without words" if change >= UNCHANGED else "as without words"
    pair = outcome.loaded.pair
    facts = f"{outcome.model.name}, {pair.width}×{pair.height}, {1000 * result.seconds:.0f} ms; {changed}"
    return f'{notice}<dl class="lf-account">{"".join(lines)}</dl><p class="lf-facts">{escape(facts)}</p>'


def tell_error(message: str) -> str:
    """What is wrong and how to mend it."""
    return f'<p class="lf-error" role="alert"><strong>That did not work.</strong> {escape(_sentence(message))}</p>'


def tell_hint(message: str) -> str:
    """What to do next."""
    return f'<p class="lf-hint">{escape(message)}</p>'


def tell_downloads(outcome: Outcome) -> str:
    """Links to what can be kept."""
    name, names = outcome.loaded.pair.name, outcome.loaded.names
    links = (
        (outcome.fused, "fused.png", f"{name}_fused.png", "Picture", "PNG, in the visible picture's depth"),
        (outcome.fused, "report.json", f"{name}_fused.json", "Report", "what was done, as JSON"),
        (outcome.fused, "panel.png", f"{name}_fused_panel.png", "Panel", "sources, without and with words, difference"),
        (outcome.sources, "infrared.png", names["infrared"], "Infrared", "the source"),
        (outcome.sources, "visible.png", names["visible"], "Visible", "the source"),
    )
    items = (
        f'<a href="{escape(url_of_file(bundle, file))}" download="{escape(saved)}" title="{escape(why)}">{label}</a>'
        for bundle, file, saved, label, why in links
    )
    return f'<nav class="lf-downloads" aria-label="Downloads"><span>Download</span> {" ".join(items)}</nav>'


def field_name(name: str) -> str:
    """A field of an instruction in words, such as "visible: hazy"."""
    source, dot, _ = name.partition(".")
    return f"{source}: {LABELS[name]}" if dot else LABELS.get(name, name)


def _line(term: str, html: str, *, doubt: bool = False) -> str:
    return f"<div{' class=lf-doubt' if doubt else ''}><dt>{term}</dt><dd>{html}</dd></div>"


def _field(name: str, reading: Reading) -> str:
    values = values_of(reading.instruction)
    if name in DEGRADATIONS and name not in reading.by_hand:
        severity = values[name]  # Of a plain mention only the pictures say how much.
        amount = "slightly " if severity < SLIGHT_BELOW else "severely " if severity >= SEVERE_FROM else ""
        source, _, _ = name.partition(".")
        return f"<small>{source}: {amount}{escape(LABELS[name])}</small>"
    if name in values:
        return f"<small>{escape(field_name(name))} {escape(_value(values[name]))}</small>"
    return f"<small>{escape(name.replace('highlight: ', 'bring out '))}</small>"


def _damage(seen: Instruction) -> str:
    return "nothing seems damaged" if seen.is_plain else str(seen)


def _names(names: Iterable[str]) -> str:
    return ", ".join(field_name(name) for name in names)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) or "nothing" if isinstance(value, list) else f"{value:g}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
