"""`skyedge compare --open`: the same comparison in the MLflow UI, served on loopback for as long as one looks at it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence

from rich.console import Console

from skyedge.errors import SkyedgeError

HOST = "127.0.0.1"
PATIENCE_S = 60.0


def comparison_path(run_ids: Sequence[str], experiment_ids: Sequence[str]) -> str:
    """The part of the UI's address after the host that shows runs side by side."""
    runs, experiments = (json.dumps(list(dict.fromkeys(ids)), separators=(",", ":")) for ids in (run_ids, experiment_ids))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}"


def show(store_uri: str, path: str, console: Console, *, open_browser: bool = True) -> None:
    """Serve the store, open the browser at ``path`` and wait for Ctrl-C.

    Raises:
        SkyedgeError: if the server does not start.
    """
    port = _free_port()
    # Without the job runner the server needs two processes in place of ten.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(
        [*command, "--backend-store-uri", store_uri],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with console.status("starting the MLflow UI"):
            _wait_for(server, port)
        address = f"http://{HOST}:{port}{path}"
        console.print(f"MLflow shows it at {address}; Ctrl-C ends the server", soft_wrap=True, highlight=False)
        if open_browser:
            webbrowser.open(address)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        # The server's workers are in its session; ending the group leaves none behind.
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        if server.poll() is not None:
            raise SkyedgeError(f"the MLflow server ended at once with code {server.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.2)
    raise SkyedgeError(f"the MLflow server did not answer within {PATIENCE_S:.0f} s")
