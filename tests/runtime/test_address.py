"""`--address`: a cluster that cannot serve is said in a sentence, and one of two machines gives the same digits."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from skyedge.cli.app import main
from skyedge.errors import RayUnavailable
from skyedge.runtime.ray_cluster import check_reachable

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.2:", "127.0.0.2:port", ":6379", "ray://head"])
def test_an_address_without_host_or_port_is_no_address(address):
    with pytest.raises(RayUnavailable, match="this is not an address such as"):
        check_reachable(address)


def test_a_port_where_nobody_listens_is_said_at_once():
    with pytest.raises(RayUnavailable, match="no Ray cluster answers"):
        check_reachable(f"127.0.0.2:{free_port()}")


def test_a_port_where_something_else_listens_is_said_too():
    server = HTTPServer(("127.0.0.2", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(RayUnavailable, match="it is no Ray cluster"):
            check_reachable(f"127.0.0.2:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.4", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def machine(folder, *options):
    """A raylet in a process group of its own, started as one starts a machine by hand."""
    modest = [f"--object-store-memory={100 << 20}", f"--memory={1 << 30}", "--disable-usage-stats", "--block"]
    command = [BIN / "ray", "start", *options, *modest]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert any("Ray runtime started" in line for line in process.stdout)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


SLICE = ["run", "slice", "--arms", "in-orbit,collaborative"]


def run_there(address, *options):
    command = [sys.executable, "-m", "skyedge.cli.app", *SLICE, "--address", address, *map(str, options)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_without_a_core_is_refused_and_a_second_machine_serves_with_the_same_digits(tmp_path, monkeypatch):
    there, here = tmp_path / "there.json", tmp_path / "here.json"
    address = f"127.0.0.4:{free_port()}"
    head = ["--head", "--node-ip-address=127.0.0.4", f"--port={address.rpartition(':')[2]}", "--num-cpus=0"]
    with machine(tmp_path, *head, "--include-dashboard=false", f"--ray-client-server-port={free_port()}"):
        refused = run_there(address, "-o", tmp_path / "none")
        assert refused.returncode == 2
        assert "the cluster has no core to run on" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
        with machine(tmp_path, f"--address={address}", "--node-ip-address=127.0.0.6", "--num-cpus=1"):
            served = run_there(address, "-o", tmp_path / "there", "--json", there)
            assert served.returncode == 0, served.stderr
    monkeypatch.setattr(sys, "argv", ["skyedge", *SLICE, "--hosting=in-process", f"-o{tmp_path / 'here'}", f"--json={here}"])
    with pytest.raises(SystemExit):
        main()
    assert there.read_bytes() == here.read_bytes()
