"""The shorthand: `[namespace/]name[@interface]`, separated by commas."""

from __future__ import annotations

import pytest

from cni_multus.cni.errors import CniError
from cni_multus.selection import DEFAULT_NETWORK
from cni_multus.selection.annotations import parse_default_network
from tests.selection.asked import START, asked, refused, shown

Found = tuple[str, str, bool, str]


def found(text: str) -> list[Found]:
    return [(one.namespace, one.name, one.said_namespace, one.ifname) for one in asked(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", []),
        ("n1", [("shop", "n1", False, "")]),
        ("n1,n2", [("shop", "n1", False, ""), ("shop", "n2", False, "")]),
        ("n1,n1", [("shop", "n1", False, ""), ("shop", "n1", False, "")]),
        ("ns/n1@eth1", [("ns", "n1", True, "eth1")]),
        ("shop/n1", [("shop", "n1", True, "")]),
        ("n1,", [("shop", "n1", False, "")]),
        ("n1 , ", [("shop", "n1", False, "")]),
        (" n1 ,\n ns/n2 @ x ,", [("shop", "n1", False, ""), ("ns", "n2", True, "x")]),
        ("ns / n1", [("ns", "n1", True, "")]),
        ("/n1", [("shop", "n1", False, "")]),
        ("n1@", [("shop", "n1", False, "")]),
        ("a.b-c.d", [("shop", "a.b-c.d", False, "")]),
        ("1", [("shop", "1", False, "")]),
        ("null", [("shop", "null", False, "")]),
        ("n1@Eth_0.7-x", [("shop", "n1", False, "Eth_0.7-x")]),
        ("n1@" + "i" * 15, [("shop", "n1", False, "i" * 15)]),
        ("a" * 253, [("shop", "a" * 253, False, "")]),
        ("s" * 63 + "/n1", [("s" * 63, "n1", True, "")]),
    ],
)
def test_items_are_read(text: str, expected: list[Found]) -> None:
    assert found(text) == expected


AT_ONE, AT_TWO = ", element 1 (line 1, column 1): ", ", element 2 (line 1, column 4): "
UMLAUTS = "\u00fc" * 8
FORM = "[namespace/]name[@interface]"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (",", 6, f"{AT_ONE}it is empty: write {FORM}"),
        (",n1", 6, f"{AT_ONE}it is empty: write {FORM}"),
        ("n1,,n2", 6, f"{AT_TWO}it is empty: write {FORM}"),
        ("n1,,", 6, f"{AT_TWO}it is empty: write {FORM}"),
        ("a/b/c", 6, f"{AT_ONE}'a/b/c' is not {FORM}"),
        ("a@b/c", 6, f"{AT_ONE}'a@b/c' is not {FORM}"),
        ("a@b@c", 6, f"{AT_ONE}'a@b@c' is not {FORM}"),
        ("ns/", 6, f"{AT_ONE}'ns/' names no network: write {FORM}"),
        ("@eth1", 6, f"{AT_ONE}'@eth1' names no network: write {FORM}"),
        ("n1,n2@lo", 7, f"{AT_TWO}'lo' cannot name an interface: the kernel keeps that name for itself"),
        ("n1@all", 7, f"{AT_ONE}'all' cannot name an interface: the kernel keeps that name for itself"),
        ("n1@a:b", 7, f"{AT_ONE}'a:b' cannot name an interface: it contains '/', ':', '%' or white space"),
        ("n1@a b", 7, f"{AT_ONE}'a b' cannot name an interface: it contains '/', ':', '%' or white space"),
        ("n1@..", 7, f"{AT_ONE}'..' cannot name an interface: it is a directory's name"),
        ("n1@" + "i" * 16, 7, f"{AT_ONE}'{'i' * 16}' cannot name an interface: it is longer than 15 bytes"),
        (f"n1@{UMLAUTS}", 7, f"{AT_ONE}'{UMLAUTS}' cannot name an interface: it is longer than 15 bytes"),
        ("s" * 64 + "/n1", 7, f"{AT_ONE}the namespace '{'s' * 64}': it is 64 characters long, more than 63"),
        ("a" * 254, 7, f"{AT_ONE}it is 254 characters long, more than 253"),
        ("n1\ud800", 6, " is not UTF-8: line 1, column 3: half of a surrogate pair"),
    ],
)
def test_bad_items_are_refused(text: str, code: int, message: str) -> None:
    assert refused(text) == (code, message)


@pytest.mark.parametrize(
    "name", ["N1", "n_1", "-n1", "n1-", ".n1", "n1.", "a..b", "a.-b", "n\u00fc", "n1\0", "a b", "n'"]
)
def test_names_are_those_of_objects(name: str) -> None:
    why = f"{AT_ONE}{name!r} is not lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    assert refused(name) == (7, why)


@pytest.mark.parametrize("namespace", ["NS", "a.b", "-a", "a_b", "a\0"])
def test_namespaces_are_labels(namespace: str) -> None:
    why = f"{namespace!r} is not lower-case letters, digits and '-', with a letter or digit at both ends"
    assert refused(f"{namespace}/n1") == (7, f"{AT_ONE}the namespace {namespace!r}: {why}")


def test_an_interface_is_asked_for_once() -> None:
    why = "the interface is to be called 'x', and so is that of element 1: each needs a name of its own"
    assert refused("n1@x,n2@y,\n  ns/n3@x") == (7, f", element 3 (line 2, column 3): {why}")


def test_elements_say_where_they_stand() -> None:
    assert [one.where for one in asked("n1,\n n2,,".removesuffix(","))] == [
        f"{START}, element 1 (line 1, column 1)",
        f"{START}, element 2 (line 2, column 2)",
    ]


def test_there_are_limits() -> None:
    assert len(asked("n," * 256)) == 256
    assert refused("n," * 257) == (7, ", element 257 (line 1, column 513): there are 257 elements, more than 256")
    assert refused("n" * 262145) == (6, " has 262145 bytes, more than 256 KiB")
    assert refused("\u00fc" * 131073) == (6, " has 262146 bytes, more than 256 KiB")
    assert refused("n" * 262144)[0] == 7


@pytest.mark.parametrize("text", ["", " ", "[]", "[ ]\n"])
def test_no_default_network_is_none(text: str) -> None:
    assert parse_default_network(text, "kube-system") is None


@pytest.mark.parametrize("text", ["calico", '[{"name": "calico"}]', "calico,", '[{"name": "calico"},]'])
def test_one_default_network(text: str) -> None:
    network = parse_default_network(text, "kube-system")
    assert network is not None
    assert shown(network) == {"name": "calico", "namespace": "kube-system"}
    assert network.where == f"annotation {DEFAULT_NETWORK}, element 1 (line 1, column {1 + text.startswith('[')})"


@pytest.mark.parametrize(("text", "column"), [("a,b,c", 3), ('[{"name":"a"},{"name":"b"},{"name":"c"}]', 15)])
def test_several_default_networks_are_refused(text: str, column: int) -> None:
    with pytest.raises(CniError) as caught:
        parse_default_network(text, "kube-system")
    where = f"annotation v1.multus-cni.io/default-network, element 2 (line 1, column {column})"
    assert str(caught.value) == f"{where}: 3 networks are asked for, and one of them can be the default network"
    assert caught.value.code == 7


def test_a_default_network_may_have_addresses_beside_a_claim() -> None:
    text = '[{"name":"default","ips":["10.0.0.5/24"],"ipam-claim-reference":"vm.net"}]'
    network = parse_default_network(text, "kube-system")
    assert network is not None
    assert (network.ips, network.ipam_claim) == (("10.0.0.5/24",), "vm.net")
    assert refused(text) == (
        7,
        ", element 1 (line 1, column 2): ips and ipam-claim-reference exclude each other: leave one out",
    )
