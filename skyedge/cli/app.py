"""The command line.  Each command is a module of its own, imported when it is called, so that help comes at once."""

from __future__ import annotations

import os
import sys

# One thread a process, set before any numeric library starts its pool.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer
from rich.console import Console

from skyedge import __version__
from skyedge.cli.commands import compare, doctor, passes, report, run, show_config, train
from skyedge.errors import SkyedgeError

app = typer.Typer(
    name="skyedge",
    help="What would it be worth to run this AI across satellites, edge and cloud?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, compare, report, show_config, train, passes, doctor):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"skyedge {__version__}")
        raise typer.Exit


@app.callback()
def skyedge(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """What would it be worth to run this AI across satellites, edge and cloud?"""


def main() -> None:
    """Entry point: an error that was raised on purpose becomes one sentence and an exit code."""
    try:
        app()
    except SkyedgeError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]error:[/] {_escaped(str(error))}", highlight=False)
        sys.exit(error.exit_code)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
