import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.hash_tables import hash_ring, maglev_table
from skyedge.layers.mesh.hashing import xxhash64
from skyedge.layers.mesh.weights import shares

PUBLISHED = [
    ("", 0xEF46DB3751D8E999),
    ("a", 0xD24EC4F1A98C6E5B),
    ("as", 0x1C330FB2D66BE179),
    ("abc", 0x44BC2CF5AD770999),
    ("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ("Call me Ishmael. Some years ago--never mind how long precisely-", 0x02A2E85470D6FD96),
]

hosts = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)
weighted = hosts.flatmap(
    lambda keys: st.tuples(st.just(keys), st.lists(st.integers(1, 5), min_size=len(keys), max_size=len(keys)))
)


@pytest.mark.parametrize(("text", "hashed"), PUBLISHED)
def test_the_hash_gives_the_published_values(text, hashed):
    assert xxhash64(text) == hashed


@given(st.binary(max_size=80), st.integers(0, 2**64 - 1))
def test_the_hash_depends_on_the_seed_and_fits_64_bits(data, seed):
    assert 0 <= xxhash64(data, seed) < 2**64
    assert xxhash64(data, seed) != xxhash64(data, seed ^ 1)


@settings(max_examples=30)
@given(weighted)
def test_a_maglev_table_is_full_and_slots_follow_weights(given_hosts):
    keys, weights = given_hosts
    counts = np.bincount(maglev_table(keys, weights, 251), minlength=len(keys))
    assert counts.sum() == 251
    assert np.abs(counts - 251 * shares(weights)).max() <= len(keys) + 1


@settings(max_examples=30)
@given(weighted, st.integers(0, 2**64 - 1), st.randoms())
def test_the_order_of_hosts_does_not_matter(given_hosts, hashed, chance):
    keys, weights = given_hosts
    order = list(range(len(keys)))
    chance.shuffle(order)
    turned = [keys[one] for one in order], [weights[one] for one in order]
    slots = [[names[host] for host in maglev_table(names, each, 61)] for names, each in (turned, (keys, weights))]
    assert slots[0] == slots[1]
    rings = [names[hash_ring(names, each, 32).host(hashed)] for names, each in (turned, (keys, weights))]
    assert rings[0] == rings[1]


def test_a_host_that_leaves_a_ring_takes_only_its_own_keys():
    keys = [f"10.0.0.{host}" for host in range(8)]
    before, after = hash_ring(keys, [1] * 8, 1024), hash_ring(keys[:-1], [1] * 7, 896)
    hashed = np.array([xxhash64(f"key {number}") for number in range(2000)], np.uint64)
    was, now = before.hosts_of(hashed), after.hosts_of(hashed)
    assert (was[was != 7] == now[was != 7]).all()
    assert (was == 7).sum() > 0


def test_points_of_a_ring_follow_weights():
    ring = hash_ring(["a", "b", "c"], [1, 2, 0], 12)
    assert ring.points_per_host.tolist() == [4, 8, 0]
    assert (np.diff(ring.points.astype(object)) > 0).all()


def test_sizes_that_cannot_work_are_refused():
    with pytest.raises(InputError, match="prime"):
        maglev_table(["a"], [1], 8)
    with pytest.raises(InputError, match="maximum"):
        hash_ring(["a"], [1], 20, 10)


@settings(max_examples=30)
@given(hosts, st.data())
def test_hosts_of_a_maglev_table_take_turns_as_their_weights_earn_them(keys, data):
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=len(keys), max_size=len(keys)))
    share, size = shares(weights), 61
    order = sorted(range(len(keys)), key=lambda host: keys[host])
    wanted = dict.fromkeys(order, 0.0)
    tried = dict.fromkeys(order, 0)
    table = [-1] * size
    for turn in range(1, 10**6):  # turn by turn, as Envoy goes
        for host in order:
            if turn * share[host] >= wanted[host] and -1 in table:
                wanted[host] += share.max()
                start, step = xxhash64(keys[host]) % size, xxhash64(keys[host], 1) % (size - 1) + 1
                while table[(start + tried[host] * step) % size] >= 0:
                    tried[host] += 1
                table[(start + tried[host] * step) % size] = host
        if -1 not in table:
            break
    assert maglev_table(keys, weights, size).tolist() == table
