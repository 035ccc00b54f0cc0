"""The alerts of a test that reads runs of a Dagster instance."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, Alerting, Round
from engagement_assets.alerts.channels import FileChannel
from engagement_assets.alerts.lineage import Links
from tests.integration.alert_location import (
    ASSETS,
    raw_notes,
)

REPEAT_AFTER = timedelta(hours=24)
GRAPH = dg.Definitions(assets=[*ASSETS, raw_notes]).resolve_asset_graph()


class Reader:
    """The alerts of a test, with a clock of its own and the file as their only channel."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.later = timedelta()
        folder.mkdir(parents=True)
        self.path = folder / "alerts.jsonl"
        self.alerting = Alerting(
            folder, Links("http://ui", "runbook.md"), REPEAT_AFTER, [FileChannel(self.path)], now=self.now
        )
        self.work()

    def now(self) -> datetime:
        """The real time, moved on by what the test wants."""
        return datetime.now(UTC) + self.later

    def work(self, worker: str = SENSOR) -> Round:
        """One round."""
        return self.alerting.work(self.instance, GRAPH, worker)

    def reported(self) -> list[list[tuple[Any, ...]]]:
        """State, name and partitions of each message since the last time, after a round."""
        seen = len(self.messages())
        self.work()
        return [
            [(item["state"], item["name"], tuple(item["partitions"])) for item in message["items"]]
            for message in self.messages()[seen:]
        ]

    def messages(self) -> list[dict[str, Any]]:
        """All messages so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
