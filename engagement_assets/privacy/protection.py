"""What a load makes of an extraction before anything of it is staged: personal data leaves here, for every source.

Belongs here: the steps, in their order. Not here: how a step works (the modules beside this one), or who calls them
(`lake/load.py`).
"""

from collections.abc import Mapping, Set
from dataclasses import replace

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.privacy.erasure import without_erased
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import with_pseudonyms
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
    accepted = {
        key: protected_rows(connection, datasets[key], rows, policy) for key, rows in extraction.accepted.items()
    }
    return replace(extraction, accepted=accepted)


def protected_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: str, policy: PrivacyPolicy) -> str:
    """The query `rows` of a dataset without what nobody needs, and with pseudonyms."""
    if dropped := columns_not_landed(dataset, policy):
        nulls = ", ".join(f"cast(null as varchar) as {name}" for name in dropped)
        rows = f"select * replace ({nulls}) from ({rows})"
    if not policy.pseudonym_key:
        return rows
    hidden = [name for name in columns_of_kinds(dataset, policy.pseudonymized) if name not in dropped]
    return with_pseudonyms(connection, policy.pseudonym_key, rows, hidden, ignore_case=dataset.ids_ignore_case)


def columns_not_landed(dataset: Dataset, policy: PrivacyPolicy) -> list[str]:
    """The columns that are NULL in whatever a load brings."""
    return sorted(name for name in dataset.unneeded if dataset.kinds[name] not in policy.landed_unneeded)


def columns_of_kinds(dataset: Dataset, kinds: Set[PersonalKind]) -> list[str]:
    """The columns that are pseudonyms if these kinds are: those of the kinds, and those made of them."""
    made_of = {name for name, parts in dataset.made_of_ids.items() if parts & kinds}
    return sorted({name for name, kind in dataset.kinds.items() if kind in kinds} | made_of)
