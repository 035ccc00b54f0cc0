"""What a load makes of an extraction before anything of it is staged: personal data leaves here, for every source.

Belongs here: the steps, in their order. Not here: how a step works (the modules beside this one), or who calls them
(`lake/load.py`).
"""

from collections.abc import Mapping
from dataclasses import replace

import duckdb

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import with_pseudonyms
from engagement_assets.privacy.rejected import redacted
from engagement_assets.privacy.shapes import shapes_sql, shown_name_sql


def protected(
    connection: duckdb.DuckDBPyConnection,
    extraction: Extraction,
    datasets: Mapping[str, Dataset],
    sent_fields: Mapping[str, SentFields],
    policy: PrivacyPolicy,
) -> Extraction:
    """The extraction as it may be kept.

    `datasets` are its datasets by key, `sent_fields` say how their records are sent, `connection` is that of the load.
    """
    return replace(
        extraction,
        accepted={
            key: _protected_rows(connection, datasets[key], rows, policy) for key, rows in extraction.accepted.items()
        },
        rejected=redacted(connection, extraction.rejected, datasets, sent_fields, policy),
        unknown_fields=f"""
            select dataset, day, {shown_name_sql("field")} as field, cast(sum(records) as bigint) as records
            from ({extraction.unknown_fields})
            group by all
        """,
    )


def _protected_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: str, policy: PrivacyPolicy) -> str:
    """The query `rows` of a dataset without what nobody needs, with pseudonyms, and with shapes of unknown fields."""
    replaced = dict.fromkeys(policy.not_landed(dataset), "cast(null as varchar)")
    if "_extra" in dataset.columns:
        replaced["_extra"] = f"case when _extra is not null then {shapes_sql('_extra')} end"
    if replaced:
        columns = ", ".join(f"{value} as {name}" for name, value in replaced.items())
        rows = f"select * replace ({columns}) from ({rows})"
    if not policy.pseudonym_key:
        return rows
    hidden = [name for name in policy.hidden(dataset) if name not in replaced]
    return with_pseudonyms(connection, policy.pseudonym_key, rows, hidden, ignore_case=dataset.ids_ignore_case)
