"""Secrets in text and in documents: gone in every form; what is no secret stays."""

from __future__ import annotations

import json

import pytest

from cni_multus.cli.bundle.kubeconfigs import is_kubeconfig, outline
from cni_multus.cli.bundle.redaction import Redactor
from cni_multus.cli.bundle.words import GONE, is_secret
from tests.cli.bundle import planted

TEXTS = {
    "conflist": json.dumps(planted.CONFLIST),
    "indented": json.dumps(planted.CONFLIST, indent=4),
    "journal": f"1a2b3c4d {json.dumps(planted.CONFLIST)}\n5e6f7a8b {json.dumps(planted.CONFLIST)}\n",
    "twice escaped": json.dumps({"text": json.dumps({"text": json.dumps(planted.CONFLIST)})}),
    "in a log": f"time=now msg={json.dumps(json.dumps(planted.CONFLIST))} end",
    "broken": planted.BROKEN,
    "block": planted.BLOCK,
    "log": planted.LOG,
    "cut": planted.CUT,
    "base64 of all": planted.coded(json.dumps(planted.CONFLIST)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_planted_is_left(text: str) -> None:
    known = [planted.PASSWORDS["yaml"], planted.PSK]
    clean = Redactor(known).content(text)
    assert [name for name, form in planted.forms().items() if form in clean] == []
    assert GONE in clean


def test_what_stands_around_is_kept() -> None:
    clean = Redactor().content(planted.LOG)
    for kept in ("kept-in-the-log", "4f2a6c1e9b7d", "status 401", "port=80", "--verbose", "&a=1", "@10.0.0.1/x"):
        assert kept in clean
    assert clean.count("2026-11-22T01:01:") == 10
    assert "kept-in-the-block" in Redactor().content(planted.BLOCK)
    assert "kept-behind-the-key" in Redactor().content(planted.CUT)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"tokenFile": "token", "type": "bridge", "ipam": {"ranges": [[{"subnet": "10.1.0.0/24"}]]}}),
        "3: net1@if2: <BROADCAST,UP> mtu 1500\n    link/ether 0a:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n",
        "default via 10.1.0.1 dev eth0 proto static metric 100\n10.1.0.0/24 dev eth0 scope link\n",
        'comment "multus:red:4f2a6c1e9b7d4f2a6c1e9b7d4f2a6c1e9b7d4f2a6c1e9b7d4f2a6c1e9b7d1234:net1"\n',
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
        "drwxr-xr-x 0:0 4096 2026-11-22T01:01:01Z .multus/versions/0.1.0-5f2b7c9d8e1a4b6c/multus\n",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
        "",
        "\n",
    ],
)
def test_a_text_without_secrets_is_as_it_was(text: str) -> None:
    assert Redactor().content(text) == text


@pytest.mark.parametrize("form", [str, planted.coded, lambda text: f"xy{planted.coded('12' + text)}"])
def test_a_known_secret_is_found_where_nothing_tells_of_it(form: object) -> None:
    assert callable(form)
    text = f"it was {form('no-pattern-tells-this')} at last"
    assert Redactor(["no-pattern-tells-this"]).text(text).count(GONE) == 1


def test_a_kubeconfig_keeps_what_is_harmless() -> None:
    assert is_kubeconfig(planted.KUBECONFIG)
    shown = outline(planted.KUBECONFIG)
    assert shown is not None
    for kept in ("tokenFile: token", "https://10.96.0.1:443", "certificate-authority: ca.crt", "/usr/bin/get-token"):
        assert kept in shown
    assert [name for name, form in planted.forms().items() if form in shown] == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("db_PassWord", True),
        ("client-key-data", True),
        ("privateKey", True),
        ("psk", True),
        ("key", True),
        ("tokenFile", False),
        ("secretName", False),
        ("publicKey", False),
        ("keyboard", False),
        ("monkeys", False),
    ],
)
def test_names_tell_what_is_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_many_lines_take_no_quadratic_work() -> None:
    """Unclosed quotes and brackets, as a cut log has them: the answer comes, whatever they reach to."""
    assert planted.TOKEN not in Redactor().content(f'password="{planted.TOKEN}\n' * 2000)
