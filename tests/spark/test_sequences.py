"""On Spark, too, any sequence of builds ends with the tables of one full build: sessions, weeks, laps.

Belongs here: the sequences of `tests/integration` with their builds on Spark, compared with a full build on DuckDB. Not
here: what the sequences do. A sequence over many users, or groups of activities, is one of each of them: no rows of
one depend on another's.
"""

import random
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.transform import project
from tests.integration import test_engagement_incremental as engagement
from tests.integration import test_mobility_property as mobility
from tests.integration import test_training_incremental as training
from tests.integration.mobile_timelines import BYTES_AN_EVENT, EVENTS_A_USER
from tests.spark.conftest import SparkServer
from tests.spark.spark_builder import SparkBuilder

# Of seven groups of activities each.
LAPS_SEQUENCES = 3


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    project.manifest()
    parsed = project.parsed_manifest()
    assert isinstance(parsed, Manifest)
    return parsed


def test_sessions(tmp_path: Path, server: SparkServer, manifest: Manifest) -> None:
    content = random.Random(17).randbytes(mobility.USERS * EVENTS_A_USER * BYTES_AN_EVENT)
    mobility.build_any_sequence(SparkBuilder(tmp_path, server), manifest, content)


def test_weeks_of_engagement(tmp_path: Path, server: SparkServer, manifest: Manifest) -> None:
    engagement.build_any_sequence(SparkBuilder(tmp_path, server), manifest, random.Random(17))


@pytest.mark.parametrize("seed", range(LAPS_SEQUENCES))
def test_laps(tmp_path: Path, server: SparkServer, manifest: Manifest, seed: int) -> None:
    training.build_any_sequence(SparkBuilder(tmp_path, server), manifest, random.Random(seed))
