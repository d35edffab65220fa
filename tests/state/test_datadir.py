"""Where a plugin's files are, by its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("read", [parse_data_dir, data_dir_if_any])
@pytest.mark.parametrize("said", [{}, {"dataDir": None}, {"dataDir": ""}])
def test_nothing_said_means_the_default(read: Callable[[Section, str], str], said: dict[str, object]) -> None:
    assert read(Section(said), "/run/x") == "/run/x"


@pytest.mark.parametrize("key", ["dataDir", "DATADIR"])
def test_an_absolute_path_is_taken(key: str) -> None:
    config = Section({key: "/srv/x"})
    assert (parse_data_dir(config, "/run/x"), data_dir_if_any(config, "/run/x")) == ("/srv/x", "/srv/x")


@pytest.mark.parametrize(("wrong", "code"), [("srv", 7), ("./srv", 7), ("/srv\0x", 7), (7, 6), (["/srv"], 6)])
def test_a_wrong_one_is_refused_or_passed_over(wrong: object, code: int) -> None:
    config = Section({"dataDir": wrong}, "ipam")
    with pytest.raises(CniError, match=r"^ipam\.dataDir") as raised:
        parse_data_dir(config, "/run/x")
    assert raised.value.code == code
    assert data_dir_if_any(config, "/run/x") == "/run/x"
