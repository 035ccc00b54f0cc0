"""The old import path of the event log's storage, which a `dagster.yaml` from version 0.1.0 still names.

Belongs here: the old path, for one release. Not here: the storage (`instance/event_log.py`).
"""

from engagement_assets.instance.event_log import BatchingSqliteStorage

__all__ = ["BatchingSqliteStorage"]
