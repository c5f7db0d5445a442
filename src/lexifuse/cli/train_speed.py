"""``lexifuse train speed``: a model's time beside the published kind of network, in one run."""

from __future__ import annotations

from typing import Annotated

import typer

from lexifuse.cli.options import Provider


def train_speed(
    model: Annotated[str, typer.Argument(help="A model's name or folder.")] = "compact",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Counted runs of each network.")] = 3,
    threads: Annotated[int, typer.Option("--threads", min=0, help="CPU threads; 0 takes all.")] = 0,
    provider: Provider = "cpu",
) -> None:
    """Time a model beside Text-IF at paper width and beside 51 GMAC of convolutions, at 640x480 (minutes)."""
    from lexifuse.training import require

    require()
    from lexifuse.cli.progress import progress
    from lexifuse.fuser import load
    from lexifuse.graphs import OPENVINO
    from lexifuse.training.speed import race

    engine = "ONNX Runtime" if provider != OPENVINO else "OpenVINO"
    fuser = load(model, threads=threads, provider=provider)
    with progress("timing", 4 * rounds) as advance:
        racers = race(fuser, rounds=rounds, threads=threads, engine=engine, advance=advance)
    for racer in racers:
        typer.echo(f"{racer.label:58s} {1000 * racer.seconds:10.0f} ms  {racer.times:8.1f} x")
