"""What is wrong with configurations, and with definitions of networks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cni_multus.cni.document import print_indented
from cni_multus.node.marker import UNINSTALLING, stamp
from tests.cli.doctor.illnesses.illness import Illness, reconfigure, rewrite
from tests.node import UPLINK

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward


def another_file_comes_first(node: Ward) -> None:
    node.write("00-aws.conflist", {"cniVersion": "1.0.0", "name": "aws", "plugins": [{"type": "ptp"}]})


def no_configuration(node: Ward) -> None:
    node.own.unlink()


def half_a_configuration(node: Ward) -> None:
    node.own.write_text(node.own.read_text()[:100])


def two_of_ours(node: Ward) -> None:
    node.write("20-multus.conf", node.config())


def relative_directory(node: Ward) -> None:
    reconfigure(node, binDir="opt/cni/bin")


def unknown_version(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    node.own.write_text(json.dumps({**document, "cniVersion": "2.0.0"}))


def edited_by_hand(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    document["plugins"][0]["logLevel"] = "debug"
    node.own.write_text(json.dumps(document))


def uninstalling(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    document.pop("multus.io/generated")
    node.own.write_bytes(print_indented(stamp({**document, UNINSTALLING: {}}, "")))


def primary_gone(node: Ward) -> None:
    (node.networks / "10-primary.conflist").unlink()


def primary_cut(node: Ward) -> None:
    node.write("10-primary.conflist", '{"cniVersion": "1.0.0", "name": "primary",\n "plugins": [')


def primary_not_ready(node: Ward) -> None:
    reconfigure(node, readinessindicatorfile=str(node.root / "ready"))


def typo_in_a_type(node: Ward) -> None:
    rewrite(node, "blue", type="macvln")


def typo_in_a_key(node: Ward) -> None:
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "macvlan", "mastr": UPLINK})


def overlapping_ranges(node: Ward) -> None:
    ranges = [[{"subnet": "10.9.0.0/24"}], [{"subnet": "10.9.0.0/16"}]]
    rewrite(node, "blue", ipam={"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses)})


def typo_in_json(node: Ward) -> None:
    node.define("blue", '{"name": "blue", "type": "macvlan",}')


def named_network_cut(node: Ward) -> None:
    (node.named / "green.conf").write_text('{"name": "green"')


ILLNESSES = {
    "another file comes first": Illness(another_file_comes_first, "conf-hidden", ("00-aws.conflist hides",)),
    "no configuration": Illness(no_configuration, "conf-missing", ("has the type multus",)),
    "half a configuration": Illness(half_a_configuration, "conf-broken", ("00-multus.conflist", "line ")),
    "two configurations": Illness(two_of_ours, "conf-several", ("2 files", "20-multus.conf")),
    "a relative directory": Illness(relative_directory, "conf-settings", ("binDir", "'opt/cni/bin'")),
    "an unknown cniVersion": Illness(unknown_version, "conf-settings", ("2.0.0",)),
    "edited by hand": Illness(edited_by_hand, "conf-edited", ("generated, and changed",)),
    "an uninstallation": Illness(uninstalling, "conf-edited", ("multus uninstall",)),
    "primary gone": Illness(primary_gone, "conf-primary", ("10-primary.conflist is gone",)),
    "primary cut off": Illness(primary_cut, "conf-primary", ("10-primary.conflist cannot be used", "line 2")),
    "primary not ready": Illness(primary_not_ready, "conf-readiness", ("readinessindicatorfile",)),
    "a typo in a type": Illness(typo_in_a_type, "plugin-missing", ("'macvln'",)),
    "a typo in a key": Illness(typo_in_a_key, "lint", ("blue.json:", "mastr")),
    "ranges that overlap": Illness(overlapping_ranges, "lint", ("10.9.0.0/24", "10.9.0.0/16")),
    "a definition that is no JSON": Illness(typo_in_json, "definition-wrong", ("blue/blue", "line 1")),
    "a network that is cut off": Illness(named_network_cut, "conf-networks", ("green.conf",)),
}
