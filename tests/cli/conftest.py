"""The commands as their tests run them: in a folder of their own, with standard input, and all that they print in hand."""

import io
import sys
from typing import NamedTuple

import pytest

from skyedge.cli.app import main


class Printed(NamedTuple):
    """What a command printed, and the code that it ended with."""

    out: str
    err: str
    code: int


@pytest.fixture
def skyedge(monkeypatch, capsys, tmp_path):
    """Run a command in the folder ``tmp_path``; its output, errors and exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        monkeypatch.setattr(sys, "argv", ["skyedge", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return Printed(printed.out, printed.err, stop.value.code or 0)

    return run
