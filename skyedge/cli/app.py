"""The command line.  Each command is a module of its own, imported when it is called, so that help comes at once."""

from __future__ import annotations

import io
import os
import sys

# One thread a process, set before any numeric library starts its pool.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer
from rich.console import Console
from rich.text import Text

from skyedge import __version__
from skyedge.cli.commands import compare, doctor, federate, passes, paths, report, route, run, schedule, show_config, train
from skyedge.errors import InputError, SkyedgeError

app = typer.Typer(
    name="skyedge",
    help="What would it be worth to run this AI across satellites, edge and cloud?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, compare, report, show_config, train, passes, paths, schedule, federate, route, doctor):
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
    # A user's own miners and networks lie where the command is given; what is installed goes first.
    sys.path.append(os.getcwd())
    _open_closed_streams()
    if os.environ.get("COLUMNS") == "0":  # whoever says so does not know it
        del os.environ["COLUMNS"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no × shows a question mark, which is better than nothing of a table.
            stream.reconfigure(errors="replace")
    try:
        app()
    except SkyedgeError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        # Written plainly, as there is not memory enough for more.
        sys.stderr.write("error: there is not memory enough for this\n")
        sys.exit(SkyedgeError.exit_code)
    except OSError as error:
        if error.strerror is None:
            raise
        _say(f"{'the output' if error.filename is None else error.filename}: {error.strerror}")
        sys.exit(InputError.exit_code)


def _open_closed_streams() -> None:
    """What was closed when the program was called leads nowhere.

    A file that is opened later would take its number, and what a library prints would go into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            if number:
                setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115  as long as the program


def _say(sentence: str) -> None:
    # What a file holds may be a command to the terminal.
    one_line = " ".join("".join(sign if sign.isprintable() else " " for sign in sentence).split())
    console = Console(stderr=True, soft_wrap=True)
    console.print("[bold red]error:[/] ", Text(one_line), sep="", highlight=False)


if __name__ == "__main__":
    main()
