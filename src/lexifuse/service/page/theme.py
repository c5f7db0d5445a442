"""How the page looks: system fonts, colours with enough contrast, and the style sheet beside this file."""

from __future__ import annotations

from importlib.resources import files

from gradio.themes import Base, sizes


def asset(name: str) -> str:
    """The text of a file in ``assets/``."""
    return files("lexifuse.service.page").joinpath("assets", name).read_text("utf-8")


def theme() -> Base:
    """Gradio's plain theme without a font that has to be fetched; text reaches a contrast of 4.5 to 1."""
    made = Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        text_size=sizes.text_md,
        radius_size=sizes.radius_sm,
        font=("system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"),
        font_mono=("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace"),
    )
    return made.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
