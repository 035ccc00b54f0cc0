"""The columns of what lies beside the raw datasets: rejected records, loads, held days and replays.

Belongs here: the columns and types of these Parquet files, of the kinds that `contracts/datasets.py` uses. Not here:
who writes and reads them (see `lake/load_records.py`, `lake/replay.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from engagement_assets.contracts.personal import PersonalKind


def _columns(text: str) -> Mapping[str, str]:
    """Name → type, of `name TYPE, name TYPE`."""
    return MappingProxyType(dict(column.split() for column in text.split(",")))


# A rejected record in the quarantine; `day` is the partition on which it counts. `record` is what may be shown of it,
# as JSON, and `header` the names of a CSV row. `raw_text` is the text itself, if it is kept; that of a CSV row begins
# with its header. `record_hash` recognises the record. Versions before 0.3.0 wrote no `record` and no hash, but the raw
# text and the raw header; there `has_pseudonyms` says that personal ids in that text are pseudonyms, else those in
# `record`.
QUARANTINE_COLUMNS = _columns(
    """
    source VARCHAR, dataset VARCHAR, source_path VARCHAR, position BIGINT, raw_text VARCHAR, header VARCHAR,
    has_pseudonyms BOOLEAN, record VARCHAR, record_hash VARCHAR, reason_code VARCHAR, message VARCHAR, run_id VARCHAR,
    quarantined_at TIMESTAMP, first_quarantined_at TIMESTAMP
    """
)

# What the quarantine has of a record's content; its `source_path` is personal in every table.
QUARANTINE_PERSONAL = dict.fromkeys(("raw_text", "header", "message"), PersonalKind.FREE_TEXT)

# What became of a record that left the quarantine by a replay, which is itself a load.
REPLAY_COLUMNS = _columns(
    """
    load_id VARCHAR, run_id VARCHAR, source VARCHAR, dataset VARCHAR, partition_date DATE, source_path VARCHAR,
    position BIGINT, reason_code VARCHAR, became VARCHAR, accepted_on DATE, first_quarantined_at TIMESTAMP,
    replayed_at TIMESTAMP
    """
)

# One row per load, dataset and day; `partition_date` is NULL for a dataset without days, and `release_reason` is NULL
# unless the load put a held day into the lake; `pseudonym_key_fingerprint` is NULL if it made no pseudonyms.
LOAD_COLUMNS = _columns(
    """
    load_id VARCHAR, run_id VARCHAR, source VARCHAR, dataset VARCHAR, partition_date DATE, status VARCHAR,
    failed_checks VARCHAR, unknown_fields VARCHAR, files BIGINT, bytes BIGINT, records_read BIGINT, accepted BIGINT,
    quarantined BIGINT, duplicates BIGINT, rows_in_day BIGINT, seconds DOUBLE, loaded_at TIMESTAMP, release_reason
    VARCHAR, pseudonym_key_fingerprint VARCHAR, erased BIGINT
    """
)

# A held day of a dataset, from the load that held it until the day is published; `day` is the held day.
HELD_COLUMNS = _columns(
    """
    load_id VARCHAR, run_id VARCHAR, source VARCHAR, dataset VARCHAR, failed_checks VARCHAR, reason VARCHAR,
    unknown_fields VARCHAR, files BIGINT, bytes BIGINT, records_read BIGINT, accepted BIGINT, quarantined BIGINT,
    duplicates BIGINT, rows_in_day BIGINT, held_at TIMESTAMP, held_since TIMESTAMP, erased BIGINT
    """
)

# A tombstone: one row per person of a request to erase. `person_hash` stands for the id, which nothing keeps;
# `pseudonyms` are those that the lake may hold of it, `key_check` tells whether ERASURE_KEY is still the same. All
# other columns are the same in all rows of a request. A request of the kind `activity` has one row, and no person.
ERASURE_COLUMNS = _columns(
    """
    request BIGINT, source VARCHAR, kind VARCHAR, person_hash VARCHAR, pseudonyms VARCHAR, key_check VARCHAR,
    was_found BOOLEAN, requested_at TIMESTAMP, state VARCHAR, records_erased BIGINT, finished_at TIMESTAMP
    """
)
