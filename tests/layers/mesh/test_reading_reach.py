"""Networks, gateways and edge sites as manifests say them, by Istio's and KubeEdge's rules."""

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.reach import CHANNEL_BYTES_PER_S, CHANNEL_DELAY_MS, GATEWAY_DELAY_MS, Kind
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.reading.reach import edge_sites, site_of

NETWORK = "topology.istio.io/network"


def node(name, network="", *, edge=False, region="eu", **annotations):
    labels = {"topology.kubernetes.io/region": region}
    labels |= {NETWORK: network} if network else {}
    labels |= {"node-role.kubernetes.io/edge": '""'} if edge else {}
    said = {f"skyedge.io/{word.replace('_', '-')}": f'"{text}"' for word, text in annotations.items()}
    return f"""
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {flow(labels)}, annotations: {flow(said)}}}
"""


def flow(words):
    return "{" + ", ".join(f"{key}: {value}" for key, value in words.items()) + "}"


def pod(name, on, app="a", network=""):
    labels = {"app": app} | ({NETWORK: network} if network else {})
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {flow(labels)}}}
spec: {{nodeName: {on}, containers: [{{name: c}}]}}
"""


def service(name, network="", kind="ClusterIP", annotations="{}"):
    labels = {NETWORK: network} if network else {}
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {flow(labels)}, annotations: {annotations}}}
spec: {{type: {kind}, selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}
"""


def system(network):
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: istio-system, labels: {{{NETWORK}: {network}}}}}\n"


def manifests(*texts):
    return parse_manifests("\n---\n".join(texts), file="f.yaml", kinds=MESH)


def read(*texts):
    return read_mesh(manifests(*texts))


def way(reading, caller, endpoint):
    assert reading.reach is not None
    return reading.reach.way(caller, endpoint)


CLOUD = [node("cloud-0"), pod("a-cloud", "cloud-0"), service("a")]
FARM = [node("farm-0", "farm", edge=True, edge_channel_delay="12ms", edge_channel_mbps="50"), pod("a-farm", "farm-0")]


@pytest.mark.parametrize(
    "texts",
    [
        CLOUD,
        [*CLOUD, node("e", edge=True)],
        [*CLOUD, node("n", "net"), pod("p", "n")],
        [*CLOUD, system("net"), pod("p", "cloud-0", network="other")],
    ],
    ids=["no network", "an edge node of no network", "a network without a gateway", "two without a gateway"],
)
def test_where_nothing_is_in_between_there_is_nothing_to_reach(texts):
    assert read(*texts).reach is None


def test_a_network_is_that_of_the_label_then_the_nodes_then_the_system_namespace():
    reading = read(
        *(node("named", "of-node"), node("silent"), service("a"), system("of-system")),
        *(pod("own", "named", network="of-pod"), pod("nodes", "named"), pod("systems", "silent"), pod("nowhere", "gone")),
    )
    found = {one.address: one.network for one in reading.endpoints}
    assert found == {"own": "of-pod", "nodes": "of-node", "systems": "of-system", "nowhere": "of-system"}
    assert {one.name: one.labels[NETWORK] for one in reading.workloads} == found


def test_an_edge_site_is_called_through_the_channel_that_its_node_describes():
    reading = read(*CLOUD, *FARM)
    down, up = way(reading, "", "farm"), way(reading, "farm", "")
    assert (down.kind, down.delay_ms, down.bytes_per_s, down.why) == (Kind.EDGE_CHANNEL, 12, 50e6 / 8, "channel of farm")
    assert (up.kind, up.delay_ms) == (Kind.EDGE_CHANNEL, 12)
    assert way(reading, "farm", "farm").kind is Kind.DIRECT


def test_figures_that_nobody_gives_are_assumed_and_one_node_may_speak_for_its_site():
    silent = read(*CLOUD, node("e", "farm", edge=True))
    assert (way(silent, "", "farm").delay_ms, way(silent, "", "farm").bytes_per_s) == (CHANNEL_DELAY_MS, CHANNEL_BYTES_PER_S)
    twice = read(*CLOUD, *FARM, node("farm-1", "farm", edge=True, edge_channel_delay="0.012s"))
    assert way(twice, "", "farm") == way(read(*CLOUD, *FARM), "", "farm")


def test_a_labelled_service_that_outside_can_call_is_a_gateway():
    east = [node("east-0", "east"), pod("a-east", "east-0"), service("eastwest", "east", "LoadBalancer")]
    reading = read(*CLOUD, *east, node("west-0", "west"), pod("a-west", "west-0"))
    assert (way(reading, "west", "east").kind, way(reading, "west", "east").delay_ms) == (Kind.GATEWAY, GATEWAY_DELAY_MS)
    assert way(reading, "east", "west").kind is Kind.DIRECT  # it has no gateway, and so counts as within reach
    assert way(reading, "", "east").kind is Kind.DIRECT  # whose network has no name is in every network
    both = read(*CLOUD, *east, *FARM)
    assert (way(both, "farm", "east").kind, way(both, "farm", "east").delay_ms) == (Kind.GATEWAY, 12 + GATEWAY_DELAY_MS)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ClusterIP", "of type ClusterIP has no"),
        ("NodePort", "of type NodePort without traffic.istio.io/nodeSelector has no"),
    ],
)
def test_a_service_without_an_address_outside_is_no_gateway(kind, words):
    reading = read(*CLOUD, node("east-0", "east"), service("eastwest", "east", kind), *FARM)
    assert way(reading, "farm", "east").why == "channel of farm"
    assert any(f"{words} address outside, so it is no gateway of 'east'" in one for one in reading.warnings)


def test_a_service_on_ports_of_nodes_is_a_gateway_if_it_says_of_which():
    gateway = service("eastwest", "east", "NodePort", '{traffic.istio.io/nodeSelector: \'{"door": "yes"}\'}')
    reading = read(*CLOUD, node("east-0", "east"), gateway, *FARM)
    assert way(reading, "farm", "east").why == "gateway of east"


def test_a_channel_ends_where_istio_is_or_what_has_no_name_or_the_only_other_network():
    named = [node("cloud-0", "cloud"), pod("a-cloud", "cloud-0"), service("a")]
    other = [node("other-0", "other"), pod("a-other", "other-0")]

    def end(*texts):
        return read(*texts).reach.networks["farm"].channel.to

    assert end(*CLOUD, *other, *FARM) == ""
    assert end(*named, *FARM) == "cloud"
    assert end(*named, *other, system("other"), *FARM) == "other"
    assert end(*FARM) == ""
    farm = node("farm-1", "farm", edge=True, edge_channel_to="other")
    assert end(*named, *other, *FARM, farm) == "other"
    with pytest.raises(InputError, match=r"'farm' ends is not said, and it could be any of cloud, other"):
        end(*named, *other, *FARM)


def test_somebody_from_a_place_is_in_the_network_of_those_who_are_there():
    reading = read(*CLOUD, node("farm-0", "farm", edge=True, region="hill"), pod("a-farm", "farm-0"))
    assert (reading.caller("hill").network, reading.caller("eu").network) == ("farm", "")


def test_of_clusters_that_have_different_networks_only_nodes_tell():
    reading = read(*CLOUD, system("one"), system("two"))
    assert {one.network for one in reading.endpoints} == {""}
    assert any("only labels of nodes tell them apart" in one for one in reading.warnings)


def test_the_site_of_a_node():
    found = manifests(*CLOUD, *FARM, node("lone", edge=True))
    assert [*edge_sites(found)] == ["farm"]
    assert site_of(found, "farm-0") == "farm"
    for name, sentence in (
        ("farm-1", "there is no node 'farm-1' (did you mean 'farm-0'?)"),
        ("cloud-0", "'cloud-0' is no edge node: it has no label node-role.kubernetes.io/edge; edge nodes are farm-0, lone"),
        ("lone", f"the site of 'lone' is no network of its own: its label {NETWORK} would name it"),
    ):
        with pytest.raises(InputError) as error:
            site_of(found, name)
        assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [*CLOUD, *FARM, node("lone", edge=True)],
            f"metadata.labels: the edge node 'lone' names no network with {NETWORK}, so it is called "
            f"as a node of the cloud is",
        ),
        (
            [*CLOUD, node("n", "net").replace(NETWORK, "topology.istio.io/netwrok")],
            f"metadata.labels['topology.istio.io/netwrok']: this label says nothing here (did you mean '{NETWORK}'?)",
        ),
        (
            [*CLOUD, node("n", edge=True).replace("kubernetes.io/edge", "kubernetes.io/egde")],
            "this label says nothing here (did you mean 'node-role.kubernetes.io/edge'?)",
        ),
        (
            [*CLOUD, service("door", "net", "LoadBalancer").replace(NETWORK, "topology.istio.io/networks")],
            f"metadata.labels['topology.istio.io/networks']: this label says nothing here (did you mean '{NETWORK}'?)",
        ),
    ],
)
def test_what_looks_like_a_mistake_is_a_warning(texts, sentence):
    assert [one for one in read(*texts).warnings if sentence in one]
    assert not [one for one in read(*CLOUD, *FARM).warnings if "label" in one]


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [*CLOUD, *FARM, node("farm-1", "farm")],
            "['topology.istio.io/network']: 'farm-1' is no edge node, and 'farm-0' of the same network is one",
        ),
        (
            [*CLOUD, node("e", "farm", edge=True, edge_channel_delay="12")],
            "f.yaml:24 (document 4): metadata.annotations['skyedge.io/edge-channel-delay']: '12' is no duration; one is "
            "written like 5s, 250ms or 1h30m (did you mean '12s'?)",
        ),
        (
            [*CLOUD, node("e", "farm", edge=True, edge_channel_mbps="fast")],
            "annotations['skyedge.io/edge-channel-mbps']: this should be a number of Mbit/s in quotes, not 'fast'",
        ),
        (
            [*CLOUD, node("e", "farm", edge=True, edge_channel_mbps="0")],
            "should be from 0.001 to 1,000,000 Mbit/s, and 0 is not",
        ),
        ([*CLOUD, node("e", "farm", edge=True, edge_channel_mbps="nan")], "1,000,000 Mbit/s, and nan is not"),
        ([*CLOUD, node("e", "farm", edge=True, edge_channel_mbps="inf")], "1,000,000 Mbit/s, and inf is not"),
        ([*CLOUD, node("e", "farm", edge=True, edge_channel_mbps="1e-9")], "1,000,000 Mbit/s, and 1e-9 is not"),
        (
            [*CLOUD, *FARM, node("farm-1", "farm", edge=True, edge_channel_delay="13ms")],
            "this is '13ms' here and '12ms' on 'farm-0', and nodes of one network share one line",
        ),
        (
            [*CLOUD, node("e", "farm", edge=True, edge_channel_dely="1ms")],
            "there is no annotation 'skyedge.io/edge-channel-dely' (did you mean 'skyedge.io/edge-channel-delay'?)",
        ),
        ([*CLOUD, node("c", "farm", edge_channel_delay="1ms")], "nothing without the label node-role.kubernetes.io/edge"),
        ([*CLOUD, node("c", edge=True, edge_channel_delay="1ms")], "nothing without the label topology.istio.io/network"),
        (
            [
                *CLOUD,
                node("c", "farm", edge_channel_delay="1ms").replace(NETWORK, f"node-role.kubernetes.io/egde: '', {NETWORK}"),
            ],
            "nothing without the label node-role.kubernetes.io/edge, and there is 'node-role.kubernetes.io/egde'",
        ),
        (
            [*CLOUD, *FARM, service("b", annotations="{skyedge.io/edge-channel-delay: 1ms}")],
            "annotations['skyedge.io/edge-channel-delay']: this is for the nodes of an edge site",
        ),
        (
            [*CLOUD, pod("b", "cloud-0").replace("labels:", "annotations: {skyedge.io/edge-channel-to: x}, labels:")],
            "annotations['skyedge.io/edge-channel-to']: this is for the nodes of an edge site",
        ),
        (
            [node("c", "cloud"), *FARM, node("farm-1", "farm", edge=True, edge_channel_to="clowd")],
            "there is no network 'clowd' that a channel could end in (did you mean 'cloud'?)",
        ),
        ([*CLOUD, *FARM, service("door", "farm", "NodePort")], "nobody can come in to 'farm', which is an edge site"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(texts, sentence):
    with pytest.raises(InputError) as error:
        read(*texts)
    assert sentence in str(error.value)
