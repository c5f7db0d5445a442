"""The command line: one file per verb, registered here; every error becomes one line and an exit code.

Files of this floor import nothing heavy at their top: ``lexifuse --help`` has to answer at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lexifuse.cli.app import app as open_page
from lexifuse.cli.bench import bench
from lexifuse.cli.demo import demo
from lexifuse.cli.detect import detect
from lexifuse.cli.eval import evaluate
from lexifuse.cli.explain import explain
from lexifuse.cli.export import export
from lexifuse.cli.fuse import fuse
from lexifuse.cli.inspect import inspect
from lexifuse.cli.models import models
from lexifuse.cli.serve import serve
from lexifuse.cli.train import train_app
from lexifuse.errors import LexifuseError, OutputError, UsageError

DONE, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
_UnreadableCall: Any = typer.BadParameter.__base__  # what the parser raises; typer does not name it


class _Verbs(TyperGroup):
    """The verbs, which say that they were interrupted; typer alone would leave without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            # A verb that was interrupted halfway may say how to go on.
            typer.echo(": ".join(("interrupted", *map(str, error.args))), err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="lexifuse",
    cls=_Verbs,
    help="Text-guided fusion of infrared and visible images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: drawing it with rich would take longer than everything else that `--help` does.
    rich_markup_mode=None,
)
app.command()(fuse)
app.command()(explain)
app.command()(inspect)
app.command()(detect)
app.command()(demo)
app.command()(models)
app.command("eval")(evaluate)
app.command()(bench)
app.command()(serve)
app.command("app")(open_page)
app.add_typer(train_app, name="train")
app.command()(export)


def _print_version(wanted: bool) -> None:
    if wanted:
        from lexifuse import __version__

        typer.echo(f"lexifuse {__version__}")
        raise typer.Exit


@app.callback()
def _lexifuse(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Text-guided fusion of infrared and visible images: two pictures and a sentence in, one picture out."""


def main() -> None:
    """Run the command line and leave with its exit code.

    0: all done, 1: something failed, 2: the call is wrong, 130: interrupted.
    """
    debug = os.environ.get("LEXIFUSE_DEBUG") == "1"
    try:
        sys.exit(app(standalone_mode=False, prog_name="lexifuse") or DONE)
    except _UnreadableCall as error:
        _refuse(error)
    except UsageError as error:
        _fail(error, WRONG_CALL, debug)
    except LexifuseError as error:
        _fail(error, FAILED, debug)
    except OSError as error:  # A disk that is full, a name that is too long: what a folder or terminal cannot take.
        where = f" '{error.filename}'" if error.filename is not None else ""
        told = f"cannot read or write{where} ({error.strerror or error}): check the path and the free space"
        _fail(OutputError(" ".join(told.split())), FAILED, debug)
    except Exception as error:  # The last resort: a user gets one line, a developer the traceback.
        if debug:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        typer.echo(f"lexifuse: unexpected error: {reason} (set LEXIFUSE_DEBUG=1 to see where)", err=True)
        sys.exit(FAILED)


def _refuse(error: Any) -> None:
    """Say in one line what the parser cannot read; a verb without arguments shows its help."""
    message = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx else "lexifuse"
    if "\n" in message:
        typer.echo(message, err=True)
    else:
        quotes = "; a sentence of several words goes in quotes" if "extra argument" in message else ""
        typer.echo(f"{command}: {message}{quotes} (`{command} --help` says what it takes)", err=True)
    sys.exit(WRONG_CALL)


def _fail(error: LexifuseError, code: int, debug: bool) -> None:
    if debug:
        raise error
    typer.echo(f"lexifuse: {error}", err=True)
    sys.exit(code)
