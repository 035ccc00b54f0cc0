"""Fixtures that the integration tests share."""

from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.integration.reports import Loaded, load_sources
from tests.integration.warehouse_builder import WarehouseBuilder, parse_project


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The dbt project, parsed once."""
    return parse_project(tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """An empty lake with an empty warehouse."""
    return WarehouseBuilder(tmp_path / "warehouse", manifest)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Loaded:
    """All five sources, loaded and published once; nothing may be written into it."""
    return load_sources(tmp_path_factory.mktemp("loaded"), manifest)
