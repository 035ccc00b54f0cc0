"""dbt's own unit tests of the models, run by Spark."""

from pathlib import Path

from tests.spark.conftest import SparkServer
from tests.spark.spark_builder import SparkBuilder


def test_all_of_them_pass(tmp_path: Path, server: SparkServer) -> None:
    builder = SparkBuilder(tmp_path, server)
    assert builder.failing_tests("test_type:unit") == {}
