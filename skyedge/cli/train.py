"""`skyedge train`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skyedge.earth.camera import Camera
from skyedge.errors import InputError

MOST_REPLICAS = 1000


def train_command(card: Path, replicas: str) -> None:
    """Train and print what was measured."""
    first, dash, last = replicas.partition("-")
    if any(not (text.isascii() and text.isdigit()) for text in ((first, last) if dash else (first,))):
        raise InputError(f"'{replicas}' is not a range of replicas such as 0-4", where="--replicas")
    if not 0 <= int(last or first) - int(first) < MOST_REPLICAS:
        raise InputError(f"'{replicas}' runs backwards, or is more than {MOST_REPLICAS} replicas", where="--replicas")
    from skyedge.learning.curriculum import train_card

    console = Console()
    with console.status(f"training {card.name}"):
        measured = train_card(card, list(range(int(first), int(last or first) + 1)), Camera())
    table = Table(title=f"{card.stem}, {measured['pictures']} pictures")
    table.add_column("of")
    table.add_column("accuracy", justify="right")
    table.add_row("all", f"{measured['accuracy']:.1%}")
    for what in ("class", "month", "climate zone"):
        for key, value in measured[f"accuracy_by_{what.replace(' ', '_')}"].items():
            table.add_row(escape(f"{what} {key}"), f"{value:.1%}")
    console.print(table)
