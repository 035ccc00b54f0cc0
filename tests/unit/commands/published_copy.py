"""A small published copy, for the tests of `make ask`."""

from pathlib import Path

import duckdb


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
