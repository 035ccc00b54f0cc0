"""The two ways to keep the places of an athlete's activities.

Belongs here: the choice that a setting names. Not here: the cells (`extract/strava/places.py`), or which fields name a
place (`extract/places.py`).
"""

from enum import StrEnum


class KeptPlaces(StrEnum):
    """What is kept of a place.

    `none`: nothing. `coarse`: the centre of one cell of about 5 km for all starts of an athlete's season.
    """

    NONE = "none"
    COARSE = "coarse"
