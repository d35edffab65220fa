"""An administrator of the API server that all tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.kit import Admin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.apiserver import Address


@pytest.fixture
def admin(api_server: Address, tmp_path: Path) -> Admin:
    return Admin(api_server, tmp_path)
