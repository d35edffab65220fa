"""The keys of an element that is JSON: what each may be, what it is read as, and what is said of what it may not be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.selection.asked import asked, element, refused, refused_element, shown

WHOLE = {
    "name": "n1",
    "namespace": "ns",
    "interface": "eth7",
    "ips": ["10.1.2.3/24", "fd00::3", "10.1.2.4"],
    "mac": "02:00:00:00:00:0A",
    "infiniband-guid": "02:00:00:00:00:00:00:0A",
    "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "UDP", "hostIP": "192.0.2.1"}],
    "bandwidth": {"ingressRate": 8000, "ingressBurst": 16000, "egressRate": 9000, "egressBurst": 9001},
    "cni-args": {"a": {"b": [1, None, "x"]}},
    "default-route": ["10.1.2.1", "fd00::1"],
    "deviceID": "0000:03:02.1",
}
READ = {
    "name": "n1",
    "namespace": "ns",
    "said_namespace": True,
    "ifname": "eth7",
    "ips": ("10.1.2.3/24", "fd00::3", "10.1.2.4"),
    "mac": "02:00:00:00:00:0a",
    "infiniband_guid": "02:00:00:00:00:00:00:0a",
    "port_mappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": "192.0.2.1"}],
    "bandwidth": WHOLE["bandwidth"],
    "cni_args": WHOLE["cni-args"],
    "device_id": "0000:03:02.1",
}


def read(document: object) -> dict[str, object]:
    (found,) = asked(json.dumps(document))
    fields = shown(found)
    assert [str(gateway) for gateway in fields.pop("default_route")] == WHOLE["default-route"]  # type: ignore[attr-defined]
    return fields


def test_every_key_is_read() -> None:
    assert read([WHOLE]) == READ
    assert shown(element(ipam_claim_reference="vm-a.tenant")) == {
        "name": "n1",
        "namespace": "shop",
        "ipam_claim": "vm-a.tenant",
    }


def test_keys_are_read_in_any_case() -> None:
    def upper(value: Any) -> Any:
        if isinstance(value, dict):
            return {key if key in "ab" else key.upper(): upper(member) for key, member in value.items()}
        return [upper(member) for member in value] if isinstance(value, list) else value

    assert read(upper([WHOLE])) == READ


def test_unknown_keys_are_passed_over() -> None:
    assert read([{**WHOLE, "gateway": ["x"], "example.com/key": {"name": 5}, "": None}]) == READ


def test_null_is_as_good_as_absent() -> None:
    assert shown(element(**dict.fromkeys([key for key in WHOLE if key != "name"]))) == {
        "name": "n1",
        "namespace": "shop",
    }


def test_what_is_empty_is_not_asked_for() -> None:
    empty: dict[str, Any] = {key: type(value)() for key, value in WHOLE.items() if key != "name"}
    assert shown(element(**empty, ipam_claim_reference="")) == {"name": "n1", "namespace": "shop"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[{"name":"a","name":"b"}]', "b"),
        ('[{"name":"a","NAME":"b"}]', "b"),
        ('[{"NAME":"a","name":"b"}]', "b"),
        ('[{"name":"a","Name":null}]', "a"),
    ],
)
def test_the_last_of_the_same_key_counts_as_in_go(text: str, name: str) -> None:
    assert asked(text)[0].name == name


@pytest.mark.parametrize(
    ("keys", "ifname"),
    [
        ({"interfaceRequest": "x"}, "x"),
        ({"interfaceRequest": "x", "interface": "y"}, "y"),
        ({"interfaceRequest": "x", "interface": ""}, "x"),
    ],
)
def test_the_older_key_for_the_interface(keys: dict[str, str], ifname: str) -> None:
    assert element(**keys).ifname == ifname


def test_a_namespace_may_stand_in_the_name() -> None:
    (one, other) = asked('[{"name":"ns/a"}, {"name":"ns/b","namespace":"ns"}]')
    assert [(each.namespace, each.name, each.said_namespace) for each in (one, other)] == [
        ("ns", "a", True),
        ("ns", "b", True),
    ]


SUBDOMAIN = "is not lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
LABEL = "is not lower-case letters, digits and '-', with a letter or digit at both ends"
DEVICE = "is not a device's ID (as in 0000:03:02.1): printable ASCII without blanks and '/'"
GUID = "is not a GUID of 8 bytes (as in 02:00:00:00:00:00:00:01)"
IP = "; write 10.1.2.3/24, or 10.1.2.3"
NULLS = "00:00:00:00:00:00:00:00"
GATEWAY = "is not an IP address; write a gateway's, as in 10.1.2.1"
TWO = "is a gateway of IPv4 already: one of a family"
HALF = "a NUL character, or half of a surrogate pair, in"
KERNEL = "the kernel keeps that name for itself"


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        ({"name": ""}, 7, """: the name is missing: say which network, as in {"name": "macvlan-1"}"""),
        ({"name": None}, 7, """: the name is missing: say which network, as in {"name": "macvlan-1"}"""),
        ({"name": "ns/"}, 7, """: the name is missing: say which network, as in {"name": "macvlan-1"}"""),
        ({"name": 5}, 6, "name must be a string, and is a number"),
        ({"name": "N"}, 7, f"name: 'N' {SUBDOMAIN}"),
        ({"name": "a@b"}, 7, "name: 'a@b': the name of the interface stands in a key of its own, interface"),
        ({"name": "a/b/c"}, 7, f"name: the namespace before the '/': 'a/b' {LABEL}"),
        ({"name": "/c"}, 7, f"name: the namespace before the '/': '' {LABEL}"),
        ({"name": "n" * 254}, 7, "name: it is 254 characters long, more than 253"),
        ({"name": "n\0"}, 7, "name: a NUL character in 'n\\x00'"),
        ({"name": "\ud800"}, 7, "name: half of a surrogate pair in '\\ud800'"),
        ({"namespace": "a.b"}, 7, f"namespace: 'a.b' {LABEL}"),
        ({"namespace": ["a"]}, 6, "namespace must be a string, and is a list"),
        ({"name": "a/b", "namespace": "c"}, 7, "namespace: 'c' is not the namespace that the name says, 'a'"),
        ({"interface": "lo"}, 7, f"interface: 'lo': {KERNEL}"),
        ({"interface": "default"}, 7, f"interface: 'default': {KERNEL}"),
        ({"interface": "i" * 20}, 7, f"interface: '{'i' * 20}': it is longer than 15 bytes"),
        ({"interface": "\ud800"}, 7, "interface: half of a surrogate pair in '\\ud800'"),
        ({"interfaceRequest": "a/b"}, 7, "interfaceRequest: 'a/b': it contains '/', ':', '%' or white space"),
        ({"interface": {}}, 6, "interface must be a string, and is an object"),
        ({"ips": "10.0.0.1"}, 6, 'ips must be a list, and is a string: write ["10.0.0.1"]'),
        ({"ips": {"a": 1}}, 6, "ips must be a list, and is an object: put it into [ and ]"),
        ({"ips": 1}, 6, "ips must be a list, and is a number"),
        ({"ips": [None]}, 6, "ips[0] must be a string, and is null"),
        ({"ips": [""]}, 7, "ips[0]: it is empty"),
        ({"ips": ["x"]}, 7, f"ips[0]: 'x' is not an IP address{IP}"),
        ({"ips": ["10.0.0.1\0"]}, 7, f"ips[0]: '10.0.0.1\\x00' is not an IP address{IP}"),
        ({"ips": ["10.0.0.1/33"]}, 7, f"ips[0]: /33 is no prefix length of an IPv4 address{IP}"),
        ({"ips": ["10.0.0.1", "10.0.0.1/24"]}, 7, "ips[1]: 10.0.0.1 stands in the list already"),
        ({"ips": ["0.0.0.0/0"]}, 7, "ips[0]: 0.0.0.0 is no host's address"),
        ({"ips": ["224.0.0.1"]}, 7, "ips[0]: 224.0.0.1 is a multicast or reserved address"),
        ({"ips": ["ff02::1/64"]}, 7, "ips[0]: ff02::1 is a multicast or reserved address"),
        ({"ips": ["127.0.0.1"]}, 7, "ips[0]: 127.0.0.1 is a loopback address"),
        ({"ips": ["::1"]}, 7, "ips[0]: ::1 is a loopback address"),
        ({"ips": ["1" * 254]}, 7, "ips[0]: it is 254 characters long, more than 253"),
        ({"mac": "02:00:00:00:00"}, 7, "mac: '02:00:00:00:00' is not a 48-bit MAC address"),
        ({"mac": "02:00:00:00:00:00:00:01"}, 7, "mac: '02:00:00:00:00:00:00:01' is not a 48-bit MAC address"),
        ({"mac": "03:00:00:00:00:01"}, 7, "mac: '03:00:00:00:00:01' is a multicast MAC address"),
        ({"mac": "00:00:00:00:00:00"}, 7, "mac: '00:00:00:00:00:00' is the zero MAC address"),
        ({"mac": 2}, 6, "mac must be a string, and is a number"),
        ({"infiniband_guid": "02:00:00:00:00:01"}, 7, f"infiniband-guid: '02:00:00:00:00:01' {GUID}"),
        ({"infiniband_guid": NULLS}, 7, f"infiniband-guid: '{NULLS}' is a GUID that no port can have"),
        ({"infiniband_guid": "0g:00:00:00:00:00:00:00"}, 7, f"infiniband-guid: '0g:00:00:00:00:00:00:00' {GUID}"),
        ({"cni_args": "x"}, 6, "cni-args must be an object, and is a string"),
        ({"cni_args": []}, 6, "cni-args must be an object, and is a list"),
        ({"cni_args": {"a": ["x", "\0"]}}, 7, f"cni-args.a[1]: {HALF} '\\x00'"),
        ({"default_route": "10.0.0.1"}, 6, 'default-route must be a list, and is a string: write ["10.0.0.1"]'),
        ({"default_route": [""]}, 7, "default-route[0]: it is empty"),
        ({"default_route": ["10.0.0.1/24"]}, 7, f"default-route[0]: '10.0.0.1/24' {GATEWAY}"),
        (
            {"default_route": ["10.0.0.1", "fd00::1", "10.0.0.2"]},
            7,
            "default-route[2]: 10.0.0.1 is a gateway of IPv4 already: one of a family",
        ),
        ({"default_route": ["::"]}, 7, "default-route[0]: :: is no host's address"),
        ({"deviceID": "a/b"}, 7, f"deviceID: 'a/b' {DEVICE}"),
        ({"deviceID": ".."}, 7, f"deviceID: '..' {DEVICE}"),
        ({"deviceID": "a b"}, 7, f"deviceID: 'a b' {DEVICE}"),
        ({"deviceID": "d" * 129}, 7, f"deviceID: '{'d' * 129}': it is 129 characters long, more than 128"),
        ({"ipam_claim_reference": "ns/claim"}, 7, f"ipam-claim-reference: 'ns/claim' {SUBDOMAIN}"),
    ],
)
def test_bad_values_are_refused(keys: dict[str, Any], code: int, message: str) -> None:
    assert refused_element(**keys) == (code, message)


@pytest.mark.parametrize("given", ["02-00-00-00-00-0a", "0200.0000.000A", "02:00:00:00:00:0A"])
def test_macs_have_three_forms(given: str) -> None:
    assert element(mac=given).mac == "02:00:00:00:00:0a"


@pytest.mark.parametrize("given", ["02-00-00-00-00-00-00-0a", "0200.0000.0000.000A", "02:00:00:00:00:00:00:0A"])
def test_guids_have_three_forms(given: str) -> None:
    assert element(infiniband_guid=given).infiniband_guid == "02:00:00:00:00:00:00:0a"


@pytest.mark.parametrize("given", ["0002:c903:00a0:1b2c", "0002C90300A01B2C", "02:00-00:00:00:00:00:0a"])
def test_other_forms_of_guids_are_refused(given: str) -> None:
    assert refused_element(infiniband_guid=given) == (7, f"infiniband-guid: {given!r} {GUID}")


def test_keys_of_arguments_are_shown_printable() -> None:
    place = ", element 1, cni-args.a.'\\udfff' (line 1, column 41): "
    assert refused('[{"name":"n1","cni-args":{"a":{"\\uDFFF":1}}}]') == (7, f"{place}{HALF} '\\udfff'")


def test_addresses_are_spelled_one_way() -> None:
    assert element(ips=["FD00:0:0::A/064", "::ffff:10.0.0.9/120", "fd00::b"]).ips == (
        "fd00::a/64",
        "10.0.0.9/24",
        "fd00::b",
    )
    assert [str(ip) for ip in element(default_route=["FD00:0::1"]).default_route] == ["fd00::1"]


@pytest.mark.parametrize(
    "device", ["0000:03:02.1", "mlx5_core.sf.4", "vf-0", "vdpa:0000:65:00.2", "eth0Mvp99", "d" * 128]
)
def test_devices_as_plugins_call_them(device: str) -> None:
    assert element(deviceID=device).device_id == device


def test_arguments_have_a_limit_of_depth() -> None:
    def nested(depth: int) -> dict[str, object]:
        return {"a": nested(depth - 1)} if depth else {}

    assert element(cni_args=nested(63)).cni_args == nested(63)
    assert refused_element(cni_args=nested(64)) == (
        7,
        "cni-args: it is nested deeper than 64 levels",
    )


def test_messages_have_a_limit_of_length() -> None:
    def nested(depth: int) -> object:
        return {"k" * 250: nested(depth - 1)} if depth else "\0"

    assert len(refused(json.dumps([{"name": "n1", "cni-args": nested(60)}]))[1]) < 500
    assert len(refused(json.dumps([{"name": "\U000e0001" * 253}]))[1]) < 3000


def test_elements_are_objects() -> None:
    assert refused("[null]") == (
        6,
        ', element 1 (line 1, column 2) must be an object, and is null: write {"name": "network-1"}',
    )
    assert refused('[{"name":"a"},\n "b"]') == (
        6,
        ', element 2 (line 2, column 2) must be an object, and is a string: write {"name": "b"}',
    )
    assert refused("[[]]") == (
        6,
        ', element 1 (line 1, column 2) must be an object, and is a list: write {"name": "network-1"}',
    )
