"""A small published copy, and commands that read one."""

import sys
from pathlib import Path

import duckdb
import pytest

from engagement_assets.commands import start


def write_published_copy(path: Path) -> Path:
    """Three tables in two schemas, as a publication leaves them: described, and listed with their rows."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            create schema learning;
            create table learning.engagement_daily (event_date date, country_code varchar, plays bigint);
            insert into learning.engagement_daily values
                ('2024-01-01', 'mx', 7), ('2024-01-01', null, 12), ('2024-01-02', 'br', 3);
            comment on table learning.engagement_daily is 'One row per day and country. Sums, no ratios.';
            comment on column learning.engagement_daily.event_date is 'The UTC day.';
            comment on column learning.engagement_daily.plays is 'How many plays.';
            create table learning.engagement_weekly (week_start_date date);
            comment on table learning.engagement_weekly is 'One row per week.';
            create schema audit;
            create table audit.published_tables as select * from (values
                ('learning', 'engagement_daily', 3::bigint, timestamp '2024-02-03 04:05:06.789', 'a-run'),
                ('learning', 'engagement_weekly', 0, timestamp '2024-02-01 00:00:00', 'a-run')
            ) as listed(schema_name, table_name, row_count, published_at, run_id);
            comment on table audit.published_tables is 'One row per table of this copy.';
        """)
    return path


class Asked:
    """Starts a command as make does, and has its exit code and what it printed."""

    def __init__(self, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._command = command
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["start", self._command, *arguments])
        try:
            status = start.main()
        except SystemExit as ended:
            status = int(str(ended.code))
        return status, *self._capsys.readouterr()
