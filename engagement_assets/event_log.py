"""The old place of the event log's storage, which homes that version 0.1.0 wrote still name.

Belongs here: the old name, for one release. Not here: the storage (`instance/event_log.py`).
"""

from engagement_assets.instance.event_log import BatchingSqliteStorage

__all__ = ["BatchingSqliteStorage"]
