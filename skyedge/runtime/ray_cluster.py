"""Starting a local Ray, or joining one, with nothing left to Ray's defaults.

Ray's defaults change between releases (token authentication is on by default for a local start since 2.59) and some
failures are silent (a request that no machine can meet waits for ever), so every setting that matters is set here
and every request is checked against the cluster before it is made.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skyedge.errors import RayUnavailable

LOCAL_ADDRESS = "127.0.0.2"
"""Ray rewrites 127.0.0.1 to the machine's routable address; any other loopback address is left alone."""

OBJECT_STORE_BYTES = 300 * 2**20


@contextmanager
def cluster(address: str | None, cores: int) -> Iterator[Any]:
    """A Ray cluster for the length of a ``with`` block: the one at ``address``, or a local one with ``cores`` CPUs.

    A cluster that was there before is left as it was.

    Raises:
        RayUnavailable: if there is no cluster at ``address``.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray's workers would give way (niceness 15) to every other program: a run beside one would take many times as long.
    os.environ.setdefault("RAY_worker_niceness", "0")
    if address is not None:
        check_reachable(address)
    import ray

    if ray.is_initialized():
        yield ray
        return
    common = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "skyedge"}
    try:
        if address is not None:
            ray.init(address=address, **common)
        else:
            ray.init(
                address="local",
                num_cpus=cores,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address=LOCAL_ADDRESS,
                _temp_dir=_short_folder(),
                **common,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        ray.shutdown()
        where = address or "a local Ray"
        raise RayUnavailable(f"Ray did not start: {_one_line(error)}", where=where) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def check_reachable(address: str, timeout_s: float = 5.0) -> None:
    """Try the port of ``address``, and whether Ray is what listens there; Ray itself would try for minutes.

    Raises:
        RayUnavailable: if the address is malformed, or nobody or somebody else listens there.
    """
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise RayUnavailable("this is not an address such as 127.0.0.2:6379 or ray://head:10001", where=address)
    try:
        with socket.create_connection((host, int(port)), timeout=timeout_s):
            pass
    except OSError as error:
        raise RayUnavailable(
            f"no Ray cluster answers ({error.strerror or error}); start one with 'ray start --head'", where=address
        ) from None
    import grpc  # type: ignore[import-untyped, unused-ignore]

    # Ray's head speaks gRPC and knows gRPC's own question after its health; a refusal to answer is an answer too.
    with grpc.insecure_channel(f"{host}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=timeout_s)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise RayUnavailable("something listens there, but it is no Ray cluster", where=address) from None


def check_labels(ray: Any, labels: dict[str, str]) -> None:
    """Check that some living machine carries ``labels``; Ray would wait for one in silence.

    Raises:
        RayUnavailable: naming what the cluster has.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    if not any(labels.items() <= node.get("Labels", {}).items() for node in alive):
        known = sorted({f"{k}={v}" for node in alive for k, v in node.get("Labels", {}).items() if "ray.io" not in k})
        raise RayUnavailable(f"no machine is labelled {labels}; the cluster has {known or 'no labels'}")


def machines(ray: Any) -> list[str]:
    """Ids of the machines that are alive, in order of their addresses."""
    return [
        name for _, name in sorted((node["NodeManagerAddress"], node["NodeID"]) for node in ray.nodes() if node["Alive"])
    ]


def _short_folder() -> str:
    # Ray puts sockets below this folder, and a socket's path may have 107 characters at the most.
    folder = os.path.join(tempfile.gettempdir(), f"skyedge-ray-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def reason_of(error: Exception) -> str:
    """Why an actor or its task was lost, in a line: Ray says it at the end of a page."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300].rstrip(".") if lines else type(error).__name__


def _one_line(error: Exception) -> str:
    """All of a message of several lines, such as the one that tells the cluster's versions from this program's."""
    return " ".join(str(error).split())[:400] or type(error).__name__
