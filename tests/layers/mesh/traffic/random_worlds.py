"""Meshes with limits, failing endpoints, ejections and retries as hypothesis draws them, for properties of traffic."""

from hypothesis import strategies as st

from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_route import Abort
from skyedge.layers.mesh.objects import ConnectionLimits, TrafficPolicy
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Failing, Failure, ServiceTime
from tests.layers.mesh.traffic.worlds import HOST, mesh_of, route_to


@st.composite
def worlds(draw):
    """A mesh, how its endpoints behave, the limits and the retries in force, and a seed."""
    connections = ConnectionLimits(
        max_connections=draw(st.integers(1, 6)),
        max_pending_requests=draw(st.integers(0, 6)),
        max_requests=draw(st.integers(1, 8)),
        max_retries=draw(st.integers(0, 3)),
        max_requests_per_connection=draw(st.integers(0, 4)),
        connect_timeout_s=draw(st.sampled_from([None, 0.001])),
    )
    outlier = draw(
        st.none()
        | st.builds(
            OutlierWish,
            consecutive_5xx_errors=st.integers(1, 3),
            interval_ms=st.just(20),
            base_ejection_time_ms=st.just(30),
            max_ejection_percent=st.sampled_from([10, 100]),
            min_health_percent=st.sampled_from([None, 50]),
        )
    )
    retries = draw(
        st.none()
        | st.builds(
            RetryWish,
            st.integers(0, 3),
            st.sampled_from(["", "5xx", "gateway-error,503"]),
            per_try_timeout_s=st.sampled_from([None, 0.008]),
            backoff_s=st.just(0.002),
        )
    )
    route = route_to(
        retries=retries,
        timeout_s=draw(st.sampled_from([None, 0.02])),
        abort=draw(st.sampled_from([None, Abort(10, http_status=500)])),
    )
    failing = st.builds(
        Failing,
        st.integers(0, 50_000),
        st.integers(60_000, 200_000),
        st.floats(0, 1),
        st.sampled_from([Failure.STATUS, Failure.SILENT]),
    ) | st.builds(Failing, st.integers(0, 50_000), st.integers(60_000, 200_000), how=st.just(Failure.REFUSE))
    said = {
        (HOST, f"10.0.0.{number}"): Behaviour(
            ServiceTime(draw(st.sampled_from([1.0, 5.0]))),
            draw(st.integers(1, 3)),
            draw(st.sampled_from([2, 1000])),
            tuple(draw(st.lists(failing, max_size=1))),
        )
        for number in range(3)
    }
    mesh = mesh_of(
        3,
        policy=TrafficPolicy(outlier=outlier, connections=connections),
        route=route,
        protocol=draw(st.sampled_from(["HTTP", "HTTP2"])),
    )
    return mesh, Behaviours(endpoints=said), connections, retries, draw(st.integers(0, 5))
