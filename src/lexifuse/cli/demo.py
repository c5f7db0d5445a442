"""``lexifuse demo``: a scene of our own, fused under several prompts, as a contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import ModelName

NIGHT_PROMPTS = ("", "the visible image is too dark", "it is too dark; make people stand out")
DAY_PROMPTS = (
    "",
    "the visible image is severely hazy",
    "severely hazy, and the infrared has stripes",
)
DAY_DAMAGE = {"visible.haze": 0.8, "infrared.stripes": 0.6}


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the pictures.")] = Path("lexifuse-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Which scene to make.")] = 19,
    model: ModelName = "compact",
) -> None:
    """Make a street scene, fuse it under several prompts and write a contact sheet."""
    from lexifuse.contact_sheet import contact_sheet
    from lexifuse.datasets.synthetic import render_scene
    from lexifuse.degradations import degrade_pair
    from lexifuse.fuser import load
    from lexifuse.pair import write_image

    fuser = load(model)
    night, day = render_scene(seed, time="night"), render_scene(seed, time="day")
    damaged = degrade_pair(day.infrared, day.visible, DAY_DAMAGE, seed=seed, depth=day.depth)
    rows = []
    for time, (infrared, visible), prompts in (
        ("night", (night.infrared, night.visible), NIGHT_PROMPTS),
        ("day", damaged, DAY_PROMPTS),
    ):
        write_image(out / f"{time}_infrared.png", infrared)
        write_image(out / f"{time}_visible.png", visible)
        row = [("infrared", infrared), ("visible", visible)]
        for number, prompt in enumerate(prompts):
            result = fuser.fuse(infrared, visible, prompt)
            path = out / f"{time}_fused_{number}.png"
            result.save(path)
            row.append((f"fused: {prompt or '(no words)'}", result.image))
            typer.echo(f"{path}  {1000 * result.seconds:.0f} ms  {prompt or '(no words)'}")
        rows.append(row)
    write_image(out / "contact_sheet.png", contact_sheet(rows))
    typer.echo(f"look at {out / 'contact_sheet.png'}")
