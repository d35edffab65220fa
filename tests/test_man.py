"""The manual pages in docs/man are what the commands say of themselves, and man can read them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.main import COMMANDS, command
from tools.man import PAGES, pages, write, write_all

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pages_are_those_of_today(tmp_path: Path) -> None:
    """Run `make man` where this fails."""
    write_all(tmp_path)
    assert {path.name: path.read_text() for path in PAGES.iterdir()} == {
        path.name: path.read_text() for path in tmp_path.iterdir()
    }


@pytest.mark.parametrize("path", sorted(PAGES.iterdir()), ids=lambda path: path.stem)
def test_man_reads_them_without_a_warning(path: Path) -> None:
    shown = subprocess.run(
        ["man", "--local-file", "--warnings", "--encoding=ascii", str(path)],
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    assert "NAME" in shown.stdout
    assert "--help" in shown.stdout


def test_every_command_has_a_page_with_its_exit_statuses() -> None:
    for page in pages():
        if page.command is not None and page.command.exits:
            assert ".SH EXIT STATUS" in write(page)
            assert all(f".B {code}\n" in write(page) for code in page.command.exits)


@pytest.mark.parametrize("word", COMMANDS)
def test_a_command_is_listed_with_its_own_words(word: str) -> None:
    assert command(word).name == word
    assert COMMANDS[word][1] == command(word).summary
