"""A run that is stopped keeps what it finished, says so in one line, leaves no process, and can be gone on with.

The real command runs in a process of its own.  Its miner stands still when it is told to, so that the stop comes at a
moment that is known: after the first arm of a seed and within the second.
"""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from skyedge.cli.app import main
from skyedge.experiment.tracking import open_client, store_uri

STANDING_STILL = '''
"""A miner that sends everything, and waits beside the file 'still' for as long as there is a 'gate'."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from skyedge.inference.miners import Verdict

HERE = Path(os.environ["STANDING_STILL"])


@dataclass(frozen=True)
class Still:
    needs_logits: ClassVar[bool] = False
    uses_truth: ClassVar[bool] = False

    def mine(self, observation, generator):
        deadline = time.monotonic() + 60
        # Not where it is only tried out before the flight.
        while observation.scenes.min() >= 0 and (HERE / "gate").exists() and time.monotonic() < deadline:
            (HERE / "still").touch()
            time.sleep(0.05)
        everything = np.ones(len(observation), bool)
        return Verdict(everything, everything, np.ones(len(observation)))
'''


@pytest.fixture
def still(tmp_path, monkeypatch):
    (tmp_path / "standing_still.py").write_text(STANDING_STILL)
    (tmp_path / "gate").touch()
    monkeypatch.setenv("STANDING_STILL", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("standing_still", None)


def arguments(folder, hosting, *more):
    slice_of_two_seeds = ["run", "slice", "--seeds", "0-1", "--arms", "in-orbit,collaborative", "--hosting", hosting]
    return [*slice_of_two_seeds, "--set", "pipeline.miner={name: 'standing_still:Still'}", "-o", str(folder), *more]


def run_here(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["skyedge", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def wait_for(condition, running):
    deadline = time.monotonic() + 90
    while not condition():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stop(still, folder, hosting, first, *later):
    """Start the command, stop it in the second arm of its first seed, and return how it ended."""
    command = [sys.executable, "-m", "skyedge.cli.app", *arguments(folder, hosting)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        records = folder / "records"
        wait_for(lambda: (still / "still").exists() and records.exists() and list(records.glob("[!.]*.npz")), process)
        # A terminal sends it to all processes of the group, those of Ray among them; and people press it twice.
        os.killpg(process.pid, first)
        for number in later:
            wait_for(lambda: "putting away" in process.stdout.readline(), process)
            os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process, out, err


def processes_of_session(leader):
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def logged(folder):
    client = open_client(store_uri(folder))
    runs = client.search_runs([client.get_experiment_by_name("slice").experiment_id], order_by=["attributes.start_time"])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def check_stopped(process, err, folder):
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert "--resume goes on from there" in err
    (parent,), children = logged(folder)
    assert parent.info.status == "KILLED"
    assert parent.data.tags["skyedge.stopped"] == "true"
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.data.tags["arm"] for run in children} == {"in-orbit"}
    assert all(0 <= run.data.metrics["accuracy"] <= 1 for run in children)
    assert len(children) == len(list((folder / "records").glob("[!.]*.npz")))
    return children


def test_a_stopped_run_is_kept_and_resumed_to_the_same_digits(still, tmp_path, monkeypatch, capsys):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process, _, err = stop(still, stopped, "in-process", signal.SIGTERM, signal.SIGINT)
    check_stopped(process, err, stopped)
    (kept,) = (stopped / "records").glob("[!.]*.npz")
    finished_at = kept.stat().st_mtime_ns
    (still / "gate").unlink()
    run_here(monkeypatch, *arguments(whole, "in-process"))
    run_here(monkeypatch, *arguments(stopped, "in-process", "--resume"))
    assert kept.stat().st_mtime_ns == finished_at
    outcomes = [json.loads(next(folder.glob("slice-*/outcome.json")).read_text()) for folder in (stopped, whole)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["seeds"] == [0, 1]
    parents, _ = logged(stopped)
    assert [run.info.status for run in parents] == ["KILLED", "FINISHED"]


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_on_ray_that_is_stopped_leaves_its_records_and_no_process(still, tmp_path):
    process, _, err = stop(still, tmp_path / "runs", "grouped", signal.SIGINT)
    check_stopped(process, err, tmp_path / "runs")
    deadline = time.monotonic() + 20
    while left := processes_of_session(process.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
