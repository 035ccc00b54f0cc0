"""What the columns of raw assets mean. The staging models describe them, since they do little more than rename.

Belongs here: finding a raw column's description. Not here: the descriptions (YAML in `dbt_project/models/staging/`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from engagement_assets.transform.project import ColumnParents

# For columns that no staging model has.
DESCRIPTIONS = {
    "_extra": "Fields of the record that no contract names, by name: type and length, as JSON. NULL if there are none.",
    "source_path": "The file or page that the record was read from.",
    "extracted_at": "When the load began that read the record first as its day is now (UTC).",
    "workout_id": "The workout that the activity performs.",
    "raw_text": "The text of the record, where QUARANTINE_RAW_TEXT or an older version kept it.",
    "record_hash": "Tells whether a landing file still holds the record: a part of its SHA-256, under the key if any.",
    "person_hash": "HMAC-SHA256 of source, kind and id under ERASURE_KEY: what stands for an erased person.",
    "pseudonyms": "The pseudonyms that the lake may hold of the person, separated by commas.",
    "key_check": "Tells whether ERASURE_KEY is still the key of this row.",
}


def describe_raw_columns(
    assets: list[dg.AssetsDefinition | dg.AssetSpec], manifest: Mapping[str, Any], lineage: Mapping[str, ColumnParents]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets, with a description for each column."""
    texts = _staging_descriptions(manifest, lineage)

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        schema = spec.metadata["dagster/column_schema"]
        columns = [
            dg.TableColumn(
                column.name,
                column.type,
                column.description
                or texts.get((spec.key.to_user_string(), column.name))
                or DESCRIPTIONS.get(column.name),
                tags=column.tags,
            )
            for column in schema.columns
        ]
        return spec.merge_attributes(metadata={"dagster/column_schema": dg.TableSchema(columns)})

    return list(dg.map_asset_specs(described, assets))


def _staging_descriptions(
    manifest: Mapping[str, Any], lineage: Mapping[str, ColumnParents]
) -> dict[tuple[str, str], str]:
    """Descriptions by raw key and column: from the staging column of that name, or from one that reads only it."""
    texts: dict[tuple[str, str], str] = {}
    for unique_id, parents in lineage.items():
        node = manifest["nodes"][unique_id]
        for column, read in parents.items():
            for parent, raw_column in read:
                if parent not in manifest["sources"]:
                    continue
                source = manifest["sources"][parent]
                place = (f"{source['source_name']}/{source['name']}", raw_column)
                if column == raw_column or (len(read) == 1 and place not in texts):
                    texts[place] = node["columns"][column]["description"]
    return texts
