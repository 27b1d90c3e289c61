import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import MeshEndpoint

SERVICES = ("a", "b", "c")
members = st.dictionaries(
    st.sampled_from([f"10.0.0.{n}" for n in range(8)]),
    st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from(["here", "there"])),
)
changes = st.lists(st.tuples(st.sampled_from(SERVICES), members), max_size=12)


def endpoints(service, said):
    return [
        MeshEndpoint(address, service, Locality(place), weight=weight, healthy=healthy)
        for address, (weight, healthy, place) in said.items()
    ]


@settings(max_examples=60)
@given(changes)
def test_columns_say_what_the_endpoints_say_after_any_changes(changes):
    table, now = EndpointTable(SERVICES, ()), {service: {} for service in SERVICES}
    for service, said in changes:
        table.update(service, endpoints(service, said))
        now[service] = said
    for number, service in enumerate(SERVICES):
        rows = table.of_service(number)
        assert [table.endpoints[row].address for row in rows] == sorted(now[service])
        ready = [table.endpoints[row].healthy for row in rows]
        told = zip(table.weight[rows], ready, table.locality[rows], strict=True)
        assert [(w, h, table.localities[p].region) for w, h, p in told] == [now[service][a] for a in sorted(now[service])]
        assert (table.service[rows] == number).all()
    assert len({row for number in range(3) for row in table.of_service(number).tolist()}) == sum(map(len, now.values()))


@settings(max_examples=60)
@given(changes)
def test_what_is_known_of_an_endpoint_stays_with_it(changes):
    table = EndpointTable(SERVICES, ())
    for service, said in changes:
        before = table.numbers(service)
        active = {address: int(table.active[row]) for address, row in before.items()}
        elsewhere = {other: table.numbers(other) for other in SERVICES if other != service}
        table.update(service, endpoints(service, said))
        after = table.numbers(service)
        for address in set(before) & set(after):
            assert before[address] == after[address]
            assert table.ejected[after[address]]
            assert table.active[after[address]] == active[address]
        for address in set(after) - set(before):
            assert not table.ejected[after[address]]
            assert table.active[after[address]] == 0
        assert {other: table.numbers(other) for other in elsewhere} == elsewhere
        for row in after.values():
            table.ejected[row] = True
            table.active[row] += 1


def test_a_number_is_free_again_when_the_requests_in_hand_are_over():
    table = EndpointTable(("a",), [MeshEndpoint("1", "a")])
    table.active[0] = 1
    table.update("a", [MeshEndpoint("2", "a")])
    assert table.numbers("a") == {"2": 1}
    table.active[0] = 0
    table.update("a", [MeshEndpoint("3", "a"), MeshEndpoint("2", "a")])
    assert table.numbers("a") == {"2": 1, "3": 0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([MeshEndpoint("1", "a"), MeshEndpoint("1", "a")], "two endpoints of 'a' have the address 1"),
        ([MeshEndpoint("1", "a", weight=-2)], "a negative weight"),
        ([MeshEndpoint("1", "b")], "another service, 'b'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(wrong, said):
    table = EndpointTable(("a",), [MeshEndpoint("9", "a")])
    with pytest.raises(InputError, match=said):
        table.update("a", wrong)
    assert table.numbers("a") == {"9": 0}


def test_a_service_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'reviews'"):
        EndpointTable(("reviews",), ()).update("review", ())
