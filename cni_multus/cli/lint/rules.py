"""The rules: how bad a finding is, what it is about, and how it is mended where nothing better is known."""

from __future__ import annotations

from typing import NamedTuple

_E, _W, _N = "error", "warning", "note"


class Rule(NamedTuple):
    """One rule; `about` is what docs and SARIF say of it."""

    level: str
    about: str
    mend: str


RULES = {
    # What can be read at all.
    "unreadable": Rule(_E, "the file cannot be read", "look at its permissions, and at the path"),
    "json-syntax": Rule(_E, "the text is not JSON", "mend the text at this place"),
    "yaml-syntax": Rule(_E, "the text is not YAML", "mend the text at this place"),
    "yaml-tab": Rule(_E, "a tab indents YAML", "indent with blanks"),
    "yaml-octal": Rule(_W, "a number that YAML reads in base 8 or 60", "put it in quotes, or write it in base 10"),
    "yaml-word": Rule(_W, "on, off, yes or no, which YAML reads as a boolean", "write true or false, or quote it"),
    "duplicate-key": Rule(_W, "a key stands twice in one object, and the last one counts", "leave one of them out"),
    "template": Rule(_N, "a template, which is not looked at before it is rendered", "lint what it renders to"),
    "unknown-kind": Rule(_N, "nothing of what lint knows", "name files that are configurations, definitions or pods"),
    # What the plugins refuse.
    "bad-type": Rule(_E, "a value of the wrong JSON type", "write the type that is wanted"),
    "bad-value": Rule(_E, "a value that its plugin refuses", "see the plugin's keys in README.md"),
    "missing-key": Rule(_E, "a key that must be there is missing", "add it"),
    "bad-name": Rule(_E, "a name that cannot be one", "see the message for what it may be made of"),
    "interface-name": Rule(
        _E, "an interface's name that the kernel does not take", "15 bytes at most, no blanks, '/', ':' or '%'"
    ),
    "bad-version": Rule(_E, "a cniVersion that cannot be spoken", "write 1.0.0 or 1.1.0"),
    "range-overlap": Rule(_E, "ranges of one network that overlap", "keep the ranges apart"),
    "range-outside": Rule(_E, "a bound that is not in its range", "take one from inside the range"),
    "range-empty": Rule(_E, "a range of which nothing is left to give", "exclude less, or make it larger"),
    "unsupported": Rule(_E, "a key that this plugin cannot honour", "leave it out"),
    "chained-first": Rule(
        _E, "a plugin that only changes an interface, with none before it", "put it behind one that makes the interface"
    ),
    "not-ipam": Rule(_E, "an IPAM type that gives no addresses", "name host-local, static or whereabouts"),
    "too-much": Rule(_E, "more than a definition may ask for", "make it smaller"),
    "foreign-path": Rule(
        _E, "a path that a definition may not name", "leave it out, or allow it with nadPaths in 00-multus.conf"
    ),
    "recursion": Rule(_E, "multus as a delegate of itself", "name the network that is meant"),
    "not-text": Rule(
        _E, "a value that the API wants as text", "write the value as text: in quotes, or a block after |"
    ),
    "bad-annotation": Rule(_E, "an annotation that is refused when the pod starts", "see the message"),
    "same-interface": Rule(_E, "two networks that would make one interface", "give each an interface of its own"),
    "default-route-twice": Rule(
        _E, "two networks of a pod that are both asked for the default route", "leave one default-route out"
    ),
    "isolation": Rule(
        _E, "a network of another namespace, with namespaceIsolation", "use one of the pod's own or a global namespace"
    ),
    # What nobody refuses, and hardly anybody means.
    "unknown-key": Rule(_W, "a key that nobody reads", "leave it out, or correct its spelling"),
    "key-case": Rule(_N, "a key in another case than it is documented in", "write it as documented"),
    "ignored-key": Rule(_N, "a key that is known, and has no effect", "it may be left out"),
    "unknown-type": Rule(
        _W, "a plugin type that is neither built in nor in --bin-dir", "correct the type, or install the program"
    ),
    "unknown-capability": Rule(_W, "a capability that no runtime hands over", "correct its spelling"),
    "idle-capability": Rule(_N, "a capability that neither the plugin nor its IPAM reads", "leave it out"),
    "no-version": Rule(_N, "no cniVersion, which means 0.1.0", "add it: 1.0.0 or 1.1.0"),
    "version-mixture": Rule(_N, "several cniVersions in what belongs together", "write the same version everywhere"),
    "no-addresses": Rule(_W, "addresses that somebody else must bring", "name a range, or ask for ips"),
    "gateway-outside": Rule(
        _W, "a gateway outside its subnet", "take a gateway from the subnet, or route to it on-link"
    ),
    "exclude-outside": Rule(_W, "an exclusion outside every range", "correct it, or leave it out"),
    "route-outside": Rule(_W, "a route's gateway outside every subnet", "name a gateway that the interface reaches"),
    "default-route": Rule(
        _N,
        "a definition that brings a default route, beside the cluster's",
        "leave it out, and let pods ask with default-route",
    ),
    "default-routes-fight": Rule(
        _W, "networks of one pod that each bring a default route", "ask one of them with default-route"
    ),
    "shared-range": Rule(
        _W,
        "networks that give the same addresses and do not know of each other",
        "keep the ranges apart, or give one network_name to both (whereabouts)",
    ),
    "vlan-zero": Rule(_W, "a VLAN without number", "write a vlanId from 1 to 4094"),
    "vlan-twice": Rule(
        _W,
        "two networks that want the same VLAN of a link",
        "let pods share it: macvlan on a VLAN of the node, or bridge",
    ),
    "mtu-over-master": Rule(_W, "an MTU above that of the link below", "make it as large as the master's at most"),
    "name-twice": Rule(
        _W, "two networks of one name that are not the same", "give them names of their own: addresses are kept by name"
    ),
    "unknown-network": Rule(_N, "a network that is not among what was linted", "lint its definition too"),
    "other-namespace": Rule(
        _N, "a network of another namespace", "with namespaceIsolation only globalNamespaces may be named so"
    ),
}
