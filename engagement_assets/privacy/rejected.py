"""The rejected records of an extraction as the lake keeps them.

Belongs here: their columns, and the hash by which a record is known again. Not here: what is kept of a record's text
(`redaction.py`), or replays (`lake/replay.py`).

The hash says whether a landing file still holds the record that was rejected, and whether a record that is rejected
today is one of yesterday. It is keyed where there is a key: all else of a record is in the lake, so whoever reads it
could try one id after the other until the hash fits. 128 bits make no two records of a deployment alike.
"""

from collections.abc import Mapping

import duckdb

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym, pseudonym_sql
from engagement_assets.privacy.redaction import Redactor

_HASH_CHARACTERS = 32
# A text may have 64 KiB.
_RECORDS_AT_A_TIME = 500


def record_hash(digest: str, policy: PrivacyPolicy) -> str:
    """What is kept of a record's `digest`, its SHA-256 in hexadecimal or the beginning of that."""
    beginning = digest[:_HASH_CHARACTERS]
    return pseudonym(policy.pseudonym_key, beginning) if policy.pseudonym_key else beginning


def is_hash_of(kept: str, digest: str, policy: PrivacyPolicy) -> bool:
    """Whether this was kept of the digest."""
    return kept == record_hash(digest, policy)


def record_hash_sql(connection: duckdb.DuckDBPyConnection, digest: str, policy: PrivacyPolicy) -> str:
    """The same as SQL, for queries on the connection."""
    beginning = f"left({digest}, {_HASH_CHARACTERS})"
    return pseudonym_sql(connection, policy.pseudonym_key, beginning) if policy.pseudonym_key else beginning


def redacted(
    connection: duckdb.DuckDBPyConnection,
    rejected: str,
    datasets: Mapping[str, Dataset],
    sent_fields: Mapping[str, SentFields],
    policy: PrivacyPolicy,
) -> str:
    """The query `rejected` (see `contracts/extraction.py`) with `record`, and with nothing that must not be kept.

    Makes the temporary table `redacted_rejects`.
    """
    redactors = {
        key: Redactor(dataset, sent_fields.get(key, SentFields()), policy) for key, dataset in datasets.items()
    }
    connection.execute(
        f"""
        create or replace temp table rejects_as_sent as
        select *, row_number() over () as number
        from (
            select null::varchar as header, null::varchar as record_hash where false
            union all by name
            select * from ({rejected})
        )
        """
    )
    connection.execute(
        "create or replace temp table rejects_shown (number bigint, record varchar, header varchar, message varchar)"
    )
    ((count,),) = connection.execute("select count(*) from rejects_as_sent").fetchall()
    for first in range(0, count, _RECORDS_AT_A_TIME):
        rows = connection.execute(
            "select number, dataset, raw_text, header, message from rejects_as_sent "
            "where number > $first and number <= $last",
            {"first": first, "last": first + _RECORDS_AT_A_TIME},
        ).fetchall()
        shown = [
            (
                number,
                redactors[key].record(text, header),
                redactors[key].header(header),
                redactors[key].message(message),
            )
            for number, key, text, header, message in rows
        ]
        names = ("numbers", "records", "headers", "messages")
        connection.execute(
            "insert into rejects_shown select unnest($numbers::bigint[]), unnest($records::varchar[]), "
            "unnest($headers::varchar[]), unnest($messages::varchar[])",
            dict(zip(names, map(list, zip(*shown, strict=True)), strict=True)),
        )
    text = "case when sent.header is not null then sent.header || chr(10) || raw_text else raw_text end"
    connection.execute(
        f"""
        create or replace temp table redacted_rejects as
        select
            dataset, day, source_path, position, shown.record,
            {text if policy.keeps_raw_text else "cast(null as varchar)"} as raw_text, shown.header,
            {policy.pseudonym_key is not None} as has_pseudonyms,
            {record_hash_sql(connection, "record_hash", policy)} as record_hash, reason_code, shown.message
        from rejects_as_sent as sent
        inner join rejects_shown as shown using (number)
        """
    )
    connection.execute("drop table rejects_as_sent")
    return "select * from redacted_rejects"
