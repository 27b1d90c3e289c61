"""Bad luck: full disks, devices and pipes for files, links to nowhere, no memory, a signal at the wrong moment, files that
are not what they are called, streams that are closed.

What was there before is whole, nothing half written stays, and one sentence says why.
"""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from skyedge.cli import app, run_study
from skyedge.cli.results import PatientConsole
from skyedge.cli.whole_files import whole_file
from skyedge.errors import InputError
from skyedge.experiment.kept_files import keep
from skyedge.experiment.study_loading import load_study, run_digest
from skyedge.experiment.study_run import kept_findings
from skyedge.experiment.tracking import open_client, store_uri
from skyedge.runtime.model_executor import save_atomically

ROUTE = ("route", *(f"manifests/mesh/{name}.yaml" for name in ("clusters", "services", "rules")), "--requests", "5")
PATH = ("paths", "kuiper-630", "--from", "Manila", "--to", "Dalian", "--start", "2000-01-01", "--duration", "2s")
FEDERATE = ("federate", "manifests/federation/clusters.yaml", "manifests/federation/workloads.yaml")

PASSES = ("passes", "--tle", "lone.tle", "--sites", "sites.csv", "--start", "2022-09-15", "--format", "csv")
TLE = """STARLINK-24
1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992
2 44238  53.0028  47.8601 0007663 290.4472  69.5712 15.51686006181960
"""

WRITERS = [(*ROUTE, "--traces"), (*ROUTE, "--metrics"), (*PATH, "--csv")]


@contextmanager
def full_disk():
    """Files of 100 bytes at most.  Not as a fixture: what pytest itself prints between the steps may go into a file."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))


@pytest.mark.parametrize("command", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_no_other(skyedge, tmp_path, command):
    (tmp_path / "old").write_text("old")
    with full_disk():
        said = skyedge(*command, "old")
    assert (said.err, said.code) == ("error: old: cannot write: File too large\n", 2)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("old", "old")]


def test_a_full_disk_leaves_no_half_of_what_a_run_keeps(tmp_path):
    (tmp_path / "record").write_text("old")
    with pytest.raises(InputError, match="record: cannot write: File too large"), full_disk():
        keep(tmp_path / "record", bytes(200))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("record", "old")]


def test_a_full_disk_leaves_no_half_of_a_table_of_answers(tmp_path):
    with pytest.raises(OSError, match="File too large"), full_disk():
        save_atomically(tmp_path / "table.npy", np.zeros(100))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_half_of_a_store(tmp_path):
    with pytest.raises(InputError, match="this MLflow store is out of order: ") as refused, full_disk():
        open_client(store_uri(tmp_path))
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", WRITERS)
def test_a_pipe_is_written_into_and_stays_a_pipe(skyedge, tmp_path, command):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert skyedge(*command, "pipe").code == 0
    assert pipe.is_fifo()
    reader.join(timeout=30)
    assert skyedge(*command, "file").code == 0
    assert read == [(tmp_path / "file").read_text()]


def test_a_run_keeps_its_figures_in_a_pipe_that_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    keep(pipe, b"figures")
    assert (os.read(end, 100), pipe.is_fifo()) == (b"figures", True)
    os.close(end)


@pytest.mark.parametrize("command", WRITERS)
def test_a_device_that_is_full_is_named(skyedge, tmp_path, command):
    (tmp_path / "disk").symlink_to("/dev/full")
    said = skyedge(*command, "disk")
    assert (said.err, said.code) == ("error: disk: cannot write: No space left on device\n", 2)
    assert (tmp_path / "disk").is_char_device()


@pytest.mark.parametrize("command", WRITERS)
def test_a_link_stays_and_what_it_names_is_written(skyedge, tmp_path, command):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "link").symlink_to("shelf/file")
    assert skyedge(*command, "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert [file.name for file in (tmp_path / "shelf").iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ((*ROUTE, "--traces", "loop"), "--traces: loop is a link that leads back to itself"),
        ((*PATH, "--csv", "loop"), "--csv: loop is a link that leads back to itself"),
        ((*FEDERATE, "--manifests", "loop"), "--manifests: loop is a link that leads nowhere"),
        (("federate", "loop"), "'loop' is a link that leads nowhere"),
        ((*PATH, "--gateways", "loop"), "'loop' is a link that leads nowhere"),
        ((*PATH, "--traffic", "."), "cannot read this file: Is a directory"),
        ((*PATH, "--traffic", "picture"), "this is not a text file in UTF-8"),
    ],
)
def test_what_leads_nowhere_or_is_no_text_is_said_in_a_sentence(skyedge, tmp_path, command, sentence):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = skyedge(*command)
    assert (said.out, said.code) == ("", 2)
    assert said.err.endswith(f"{sentence}\n")
    assert said.err.count("\n") == 1


def unfolding(step):
    """YAML of a few lines that stands for nine thousand million words."""
    lines = [f"{name}: &{name} {step.format(', '.join([f'*{before}'] * 9))}" for before, name in pairwise("abcdefghij")]
    return "\n".join(["a: &a {x: y}", *lines])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (unfolding("[{}]"), "mine.yaml: this unfolds to more than 100,000 values, which nobody meant"),
        (unfolding("{{<<: [{}]}}"), "mine.yaml: this unfolds to more than 100,000 values, which nobody meant"),
        ("#" * 4_000_001, "mine.yaml: more than 4 MB are not what anyone writes by hand"),
        ("[" * 10_000, "mine.yaml:1: exceeded maximum nesting depth"),
        ("a: 1\nb: \0\n", "mine.yaml:2: YAML has no character U+0000"),
        ("a: 1\nb: !!bool maybe\n", "mine.yaml:2: a value is not what it looks like: 'maybe' is no bool"),
        ("a: 1\nb: !!timestamp now\n", "mine.yaml:2: a value is not what it looks like: 'now' is no timestamp"),
        ("a: 1\nb: !!int ''\n", "mine.yaml:2: a value is not what it looks like: '' is no int"),
        (
            f"a: 1\nb: {'9' * 5000}\n",
            "mine.yaml:2: a value is not what it looks like: 5,000 characters are too many for the type int",
        ),
    ],
    ids=("lists", "merges", "long", "deep", "NUL", "bool", "time", "int", "digits"),
)
def test_a_file_that_is_not_what_it_looks_like_is_said_with_its_place(skyedge, tmp_path, text, sentence):
    (tmp_path / "mine.yaml").write_text(text)
    said = skyedge("paths", "mine.yaml", *PATH[2:])
    assert said.err.replace(f"{tmp_path}/", "") == f"error: {sentence}\n"
    assert (said.out, said.code) == ("", 2)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("&a [*a]", "--set seeds:1: this anchor holds itself"),
        (f"{{{unfolding('[{}]')}}}".replace("\n", ", "), "this unfolds to more than 100,000 values, which nobody meant"),
    ],
    ids=("itself", "lists"),
)
def test_a_value_that_holds_itself_or_too_much_is_refused(skyedge, value, sentence):
    said = skyedge("show-config", "slice", "--set", f"seeds={value}")
    assert said.err.endswith(f"{sentence}\n")
    assert (said.out, said.code, said.err.count("\n")) == ("", 2, 1)


def test_a_number_that_is_too_large_is_said_with_its_place(skyedge):
    service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1e999}]}}'
    said = skyedge("federate", "-", stdin=service)
    start = "error: standard input:1 (document 1): spec: this is not what it looks like: Number out of range"
    assert (said.out, said.code) == ("", 2)
    assert said.err.startswith(start)


def test_a_cell_without_end_is_said(skyedge, tmp_path):
    (tmp_path / "long.csv").write_text(f'from,to,mbps\nManila,"{"x" * 200_000}",3\n')
    said = skyedge(*PATH, "--traffic", "long.csv")
    assert said.err == f"error: {tmp_path}/long.csv: this is not CSV: field larger than field limit (131072)\n"


@pytest.mark.parametrize("name", ["10**30", "~nobody-of-that-name/file", "[", "a\nb", ""])
def test_odd_names_of_files_are_looked_for_as_they_stand(skyedge, name):
    said = skyedge("route", *ROUTE[1:4], "--requests", name)
    words = f"'{' '.join(name.split())}' is neither a number from 1 to 1,000,000 nor a file that is there"
    assert (said.err, said.code) == (f"error: --requests: {words}\n", 2)


def test_what_a_file_holds_gives_the_terminal_no_orders(skyedge):
    said = skyedge("federate", "-", stdin='apiVersion: v1\nkind: "Pod\\e[31m"\nmetadata: {name: a}\n')
    assert "there is no kind 'Pod [31m'" in said.err


def test_a_terminal_of_no_width_is_one_of_unknown_width(skyedge, monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    assert "hand-overs: 0" in skyedge(*PATH).out


@pytest.mark.parametrize(
    ("command", "streams", "code", "error"),
    [
        (PASSES, ">&- 2>&- <&-", 0, ""),
        (PASSES, ">/dev/full", 2, "error: the output: No space left on device\n"),
        (PASSES, ">/dev/full 2>&1", 1, ""),
        (("federate", "-"), "<&-", 2, "error: standard input: it is closed, and nothing can be read from it\n"),
    ],
)
def test_streams_that_are_closed_or_full_end_in_no_traceback(tmp_path, command, streams, code, error):
    (tmp_path / "lone.tle").write_text(TLE)
    (tmp_path / "sites.csv").write_text("name,lat_deg,lon_deg,height_m\nManila,14.6,121,0\n")
    shell = ("bash", "-c", f'exec "$@" {streams}', "bash", sys.executable, "-m", "skyedge.cli.app")
    done = subprocess.run((*shell, *command), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", error)


def test_a_run_goes_on_when_whoever_reads_its_output_has_gone(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        console = PatientConsole()
        for line in ("table", "claims"):
            console.print(line)
        monkeypatch.undo()


def test_what_a_run_finds_is_written_though_its_table_cannot_be_printed(skyedge, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_study, "_print", full)
    said = skyedge("run", "offload", "--hosting", "in-process", "--seeds", "0", "-o", "runs", "--json", "out.json")
    assert (said.err, said.code) == ("error: the output: No space left on device\n", 2)
    assert json.loads((tmp_path / "out.json").read_text())["seeds"] == [0]


OUTCOME = '{"experiment": "[/] e", "digest": "d", "seeds": [0], "arms": {"[/] a": {"accuracy": {"per_seed": [1]}}}}'


def test_brackets_in_names_are_printed_as_they_stand(skyedge, tmp_path):
    (tmp_path / "[red].json").write_text(OUTCOME)
    compared = skyedge("compare", "[red].json", "[red].json")
    assert "A [/] e ([red].json)" in compared.out
    assert "[/] a" in compared.out


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"seeds": [0]', '"seeds": {"0": 0}', "this is not an outcome that 'skyedge run --json' wrote"),
        ('"per_seed": [1]', '"per_seed": [1e999]', "this is not an outcome that 'skyedge run --json' wrote"),
    ],
)
def test_an_outcome_that_is_none_in_one_place_is_not_compared(skyedge, tmp_path, old, new, sentence):
    assert old in OUTCOME
    (tmp_path / "a.json").write_text(OUTCOME.replace(old, new))
    assert skyedge("compare", "a.json", "a.json").err == f"error: a.json: {sentence}\n"


def test_a_folder_without_an_outcome_is_said_to_be(skyedge, tmp_path):
    (tmp_path / "empty").mkdir()
    assert skyedge("compare", "empty", "empty").err == "error: empty: this folder holds no outcome.json\n"


def test_a_file_that_may_not_be_written_is_said_before_the_work(skyedge, tmp_path, monkeypatch):
    (tmp_path / "old").write_text("old")
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: (str(path), mode) != ("old", os.W_OK) and may(path, mode))
    said = skyedge(*ROUTE, "--traces", "old")
    assert (said.err, said.code) == ("error: --traces: old cannot be written: permission denied\n", 2)
    assert (tmp_path / "old").read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_file_is_written_leaves_the_old_one_and_no_other(tmp_path, number):
    (tmp_path / "old").write_text("old")
    before = signal.getsignal(number)

    def stopped():
        with whole_file(tmp_path / "old") as partial:
            partial.write_text("ne")
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("old", "old")]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("content", [b"", b'{"figures": {"an', b"[1, 2]", b"\x89PNG", b"{}"])
def test_a_damaged_record_of_a_study_is_named(tmp_path, content):
    study = load_study("mesh-proxies")
    arm, seed = next(iter(study.arms)), study.seeds[0]
    record = tmp_path / "records" / f"{run_digest(study, arm, seed)}.json"
    record.parent.mkdir()
    record.write_bytes(content)
    with pytest.raises(InputError, match=rf"{record.name}: this record is damaged; without it the run is done again"):
        kept_findings(study, tmp_path, arm, seed)


def test_a_folder_that_vanishes_is_said(skyedge, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()

    def unlucky():
        with whole_file(shelf / "file") as partial:
            partial.write_text("new")
            partial.unlink()
            shelf.rmdir()

    with pytest.raises(InputError, match="cannot write: No such file or directory"):
        unlucky()
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_said_in_a_sentence(monkeypatch, capsys):
    def eat():
        raise MemoryError

    monkeypatch.setattr(app, "app", eat)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as stop:
        app.main()
    assert (capsys.readouterr().err, stop.value.code) == ("error: there is not memory enough for this\n", 1)
