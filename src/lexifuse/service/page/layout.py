"""The page's components and where they stand; :mod:`lexifuse.service.page.events` says what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from lexifuse.instruction import DEGRADATIONS, HIGHLIGHTS, Instruction
from lexifuse.models import Model
from lexifuse.service.page.session import Session
from lexifuse.service.page.telling import LABELS
from lexifuse.service.page.theme import asset
from lexifuse.service.page.understanding import values_of
from lexifuse.service.page.view import sample_cards
from lexifuse.service.settings import MAX_PROMPT

MOST_PROMPTS = 6
"""Prompts side by side."""


@dataclass(frozen=True, eq=False)
class Page:
    """Every component that has a part in what happens.

    Attributes:
        session: the visitor's :class:`Session`.
        infrared: drop zone.
        visible: drop zone.
        resize: stretch the infrared picture.
        samples: cards.
        words: the sentence.
        automatic: look at the pictures.
        model: which model fuses.
        fuse: the button.
        told: what the controls were told to show, hidden: it comes back with what they say.
        controls: one per field of :data:`lexifuse.instruction.SETTABLE`, in that order.
        reset: gives the controls back to the words.
        viewer: the fused picture beside its sources.
        account: what was understood, in words.
        downloads: links.
        command: the command line that makes the same.
        tries: cards, the latest first.
        prompts: several, a line each.
        compare: the button.
        compared: cards.
    """

    session: gr.State
    infrared: gr.HTML
    visible: gr.HTML
    resize: gr.Checkbox
    samples: gr.HTML
    words: gr.Textbox
    automatic: gr.Checkbox
    model: gr.Dropdown
    fuse: gr.Button
    told: gr.JSON
    controls: dict[str, Component]
    reset: gr.Button
    viewer: gr.HTML
    account: gr.HTML
    downloads: gr.HTML
    command: gr.Textbox
    tries: gr.HTML
    prompts: gr.Textbox
    compare: gr.Button
    compared: gr.HTML


def lay_out(models: Sequence[Model], max_bytes: int) -> Page:
    """Make the components, inside an open ``gr.Blocks``."""
    gr.HTML(asset("header.html"), apply_default_css=False)
    session = gr.State(Session())
    # Four blocks, which the style sheet puts into two columns, or one below the other where there is no room.
    with gr.Row(elem_id="lf-columns"):
        with gr.Column(elem_id="lf-asked", min_width=0):
            with gr.Row(elem_id="lf-sources"):
                infrared = _drop_zone("Infrared picture", max_bytes)
                visible = _drop_zone("Visible picture", max_bytes)
            resize = gr.Checkbox(
                label="Stretch the infrared to the visible picture's size (resize)", container=False, visible=False
            )
            samples = _cards("Samples", sample_cards(), "lf-samples")
            words = gr.Textbox(
                label="What is wrong with the pictures, and what should stand out?",
                placeholder="it is dark, the thermal image is noisy; make people stand out",
                max_length=MAX_PROMPT,
                max_lines=4,
                elem_id="lf-words",
            )
            with gr.Row(elem_id="lf-ask"):
                automatic = gr.Checkbox(label="Look at the pictures for me", container=False, elem_id="lf-automatic")
                fuse = gr.Button("Fuse", variant="primary", size="md", elem_id="lf-fuse")
        with gr.Column(elem_id="lf-made", min_width=0):
            viewer = gr.HTML(
                None,
                html_template=asset("viewer.html"),
                js_on_load=asset("viewer.js"),
                apply_default_css=False,
                elem_id="lf-viewer",
            )
            account = gr.HTML("", apply_default_css=False, elem_id="lf-account")
            tries = _cards("Tries", [], "lf-tries")
        with gr.Column(elem_id="lf-set", min_width=0):
            told = gr.JSON(values_of(Instruction()), visible="hidden")
            controls, reset = _controls()
            names = [(f"{one.name} ({one.card.parameters / 1e6:.1f} M parameters)", one.name) for one in models]
            model = gr.Dropdown(names, value=models[0].name, label="Model", elem_id="lf-model")
        with gr.Column(elem_id="lf-kept", min_width=0):
            downloads = gr.HTML("", apply_default_css=False)
            command = gr.Textbox(
                label="The same from the command line",
                interactive=False,
                buttons=["copy"],
                max_lines=3,
                elem_id="lf-command",
            )
            prompts, compare, compared = _several()
    return Page(
        session, infrared, visible, resize, samples, words, automatic, model, fuse, told, controls, reset,
        viewer, account, downloads, command, tries, prompts, compare, compared,
    )  # fmt: skip


def _several() -> tuple[gr.Textbox, gr.Button, gr.HTML]:
    """Several prompts side by side: the text, the button, the cards."""
    with gr.Accordion("Several prompts side by side", open=False, elem_id="lf-several"):
        prompts = gr.Textbox(
            label=f"A prompt per line, at most {MOST_PROMPTS}",
            placeholder="make people stand out\nbrighten the dark visible image\nmore infrared",
            lines=3,
            max_length=MAX_PROMPT,
            elem_id="lf-prompts",
        )
        compare = gr.Button("Fuse them all", elem_id="lf-compare")
        compared = _cards("Prompts side by side", [], "lf-compared")
    return prompts, compare, compared


def _controls() -> tuple[dict[str, Component], gr.Button]:
    """A control per field of an instruction, in the order of ``SETTABLE``, and the button that resets them."""
    controls: dict[str, Component] = {}
    with gr.Accordion("Sliders: they show what is done, and you may move them", elem_id="lf-sliders"):
        for source, title in (("visible", "The visible picture is …"), ("infrared", "The infrared picture is …")):
            gr.HTML(f'<p class="lf-group">{title}</p>', apply_default_css=False)
            with gr.Row(elem_classes="lf-grid"):
                for name in DEGRADATIONS:
                    if name.startswith(f"{source}."):
                        controls[name] = _slider(LABELS[name], 0, name)
        gr.HTML('<p class="lf-group">The fused picture should …</p>', apply_default_css=False)
        controls["balance"] = _slider("lean to visible (−1) or infrared (+1)", -1, "balance")
        with gr.Row(elem_classes="lf-grid"):
            for name in ("keep_colour", "keep_texture"):
                controls[name] = gr.Checkbox(label=LABELS[name], container=False, min_width=120)
        controls["highlight"] = gr.Dropdown(
            list(HIGHLIGHTS), value=[], multiselect=True, label=LABELS["highlight"], elem_id="lf-highlight"
        )
        reset = gr.Button("Back to what the words say", size="sm", elem_id="lf-reset")
    return controls, reset


def _slider(label: str, low: float, name: str) -> gr.Slider:
    return gr.Slider(
        low,
        1,
        0,
        step=0.01,
        label=label,
        buttons=[],
        min_width=120,
        elem_id=f"lf-{name.replace('.', '-').replace('_', '-')}",
        elem_classes="lf-slider",
    )


def _drop_zone(label: str, max_bytes: int) -> gr.HTML:
    html = asset("drop.html").replace("LABEL", label)
    return gr.HTML(
        None,
        html_template=html,
        js_on_load=asset("drop.js"),
        apply_default_css=False,
        limit=max_bytes,
        elem_classes="lf-zone",
        min_width=140,
    )


def _cards(label: str, value: list[dict[str, object]], elem_id: str) -> gr.HTML:
    html = asset("cards.html").replace("LABEL", label)
    return gr.HTML(value, html_template=html, js_on_load=asset("cards.js"), apply_default_css=False, elem_id=elem_id)
