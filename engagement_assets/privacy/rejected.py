"""The rejected records of an extraction as the lake keeps them.

Belongs here: their columns, and the hash by which a record is known again. Not here: what is kept of a record's text
(`redaction.py`), or replays (`lake/replay.py`).

The hash says whether a landing file still holds the record that was rejected, and whether a record that is rejected
today is one of yesterday. It is keyed where there is a key: all else of a record is in the lake, so whoever reads it
could try one id after the other until the hash fits. 128 bits make no two records of a deployment alike.
"""

from collections.abc import Mapping

import duckdb
from duckdb.func import FunctionNullHandling

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import kept_pseudonym_sql, pseudonym
from engagement_assets.privacy.redaction import Redactor

_HASH_CHARACTERS = 32
_FUNCTION = "redacted_record"


def record_hash(digest: str, policy: PrivacyPolicy) -> str:
    """What is kept of a record's `digest`, its SHA-256 in hexadecimal."""
    return pseudonym(policy.pseudonym_key, digest) if policy.pseudonym_key else digest[:_HASH_CHARACTERS]


def record_hash_sql(digest: str, policy: PrivacyPolicy) -> str:
    """The same as SQL; with a key, the connection must have taken it by `keep_key`."""
    return kept_pseudonym_sql(digest) if policy.pseudonym_key else f"left({digest}, {_HASH_CHARACTERS})"


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

    def redact(key: str, text: str | None, header: str | None, message: str) -> list[str | None]:
        redactor = redactors[key]
        return [redactor.record(text, header), redactor.header(header), redactor.message(message)]

    text = "case when header is not null then header || chr(10) || raw_text else raw_text end"
    connection.create_function(
        _FUNCTION,
        redact,
        ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"],
        "VARCHAR[]",
        null_handling=FunctionNullHandling.SPECIAL,
    )
    try:
        connection.execute(
            f"""
            create or replace temp table redacted_rejects as
            select
                dataset, day, source_path, position, kept[1] as record,
                {text if policy.keeps_raw_text else "cast(null as varchar)"} as raw_text, kept[2] as header,
                {policy.pseudonym_key is not None} as has_pseudonyms,
                {record_hash_sql("record_hash", policy)} as record_hash,
                reason_code, kept[3] as message
            from (
                select *, {_FUNCTION}(dataset, raw_text, header, message) as kept
                from (
                    select null::varchar as header, null::varchar as record_hash where false
                    union all by name
                    select * from ({rejected})
                )
            )
            """
        )
    finally:
        connection.remove_function(_FUNCTION)
    return "select * from redacted_rejects"
