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
from engagement_assets.privacy.pseudonyms import keep_key, with_pseudonyms
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
    accepted = dict(extraction.accepted)
    if policy.pseudonym_key:
        keep_key(connection, policy.pseudonym_key)
        for key, rows in accepted.items():
            hidden = [name for name, kind in datasets[key].kinds.items() if kind in policy.pseudonymized]
            accepted[key] = with_pseudonyms(rows, hidden)
    for key, rows in accepted.items():
        if "_extra" in datasets[key].columns:
            shapes = f"case when _extra is not null then {shapes_sql('_extra')} end"
            accepted[key] = f"select * replace ({shapes} as _extra) from ({rows})"
    return replace(
        extraction,
        accepted=accepted,
        rejected=redacted(connection, extraction.rejected, datasets, sent_fields, policy),
        unknown_fields=f"""
            select dataset, day, {shown_name_sql("field")} as field, cast(sum(records) as bigint) as records
            from ({extraction.unknown_fields})
            group by all
        """,
    )
