"""Fixtures that the integration tests share."""

from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.transform import project
from tests.integration.reports import Loaded, load_sources
from tests.integration.warehouse_builder import WarehouseBuilder


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """The dbt project as it is prepared for production: parsed whole only after a dbt file has changed."""
    project.manifest()
    parsed = project.parsed_manifest()
    assert isinstance(parsed, Manifest)
    return parsed


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """An empty lake with an empty warehouse."""
    return WarehouseBuilder(tmp_path / "warehouse", manifest)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Loaded:
    """All five sources, loaded and published once; nothing may be written into it."""
    return load_sources(tmp_path_factory.mktemp("loaded"), manifest)
