"""The two ways to tell user events apart.

Belongs here: the choice that a setting names. Not here: how identities are made (`extract/user_events/extraction.py`).
"""

from enum import StrEnum


class EventIdentity(StrEnum):
    """What tells two events apart.

    `event`: the id that the service gives, else device, time, type and path. `device_and_time`: only these two, as in
    older pipelines; two events of a device at the same moment are then one.
    """

    EVENT = "event"
    DEVICE_AND_TIME = "device_and_time"
