"""The lake of each test of a lake."""

from pathlib import Path

import pytest

from engagement_assets.lake.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "it's a lake"))
