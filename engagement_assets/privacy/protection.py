"""What a load makes of an extraction before anything of it is staged: personal data leaves here, for every source.

Belongs here: the steps, in their order. Not here: how a step works (the modules beside this one), or who calls them
(`lake/load.py`).
"""

from collections.abc import Mapping
from dataclasses import replace

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.privacy.erasure import without_erased
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import keep_key, with_pseudonyms
from engagement_assets.privacy.tombstones import ErasedPersons


def protected(
    connection: duckdb.DuckDBPyConnection,
    extraction: Extraction,
    datasets: Mapping[str, Dataset],
    policy: PrivacyPolicy,
    erased: ErasedPersons | None = None,
) -> Extraction:
    """The extraction as it may be kept; `datasets` are its datasets by key, `connection` is that of the load.

    Records of `erased` persons go first, while their ids are those that the source sent.
    """
    if erased is not None:
        extraction = without_erased(connection, extraction, datasets, erased)
    accepted = dict(extraction.accepted)
    if policy.pseudonym_key:
        keep_key(connection, policy.pseudonym_key)
        for key, rows in accepted.items():
            hidden = [name for name, kind in datasets[key].kinds.items() if kind in policy.pseudonymized]
            accepted[key] = with_pseudonyms(rows, hidden)
    return replace(extraction, accepted=accepted)
