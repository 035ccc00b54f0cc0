"""What FIT files hold where a device measured nothing, in the units in which apps pass it on.

Belongs here: the numbers, for every source with data of watches. Not here: which fields of a source may hold them
(`strava/source.py`, `runna/device_values.py`).

A field of a FIT file always has a value. One that was not measured holds the invalid value of its base type: all bits
set, except the sign (FIT SDK, "FIT Protocol", table "FIT Base Types and Invalid Values"). A reader that does not know
this passes it on, with the scale and the offset of the field (FIT SDK, Profile.xlsx).
"""

UINT8, SINT8, UINT16, UINT32 = 0xFF, 0x7F, 0xFFFF, 0xFFFF_FFFF

# Speed is stored in mm/s, as 16 bits or "enhanced" as 32.
NO_SPEED_M_PER_S = (UINT16 / 1_000, UINT32 / 1_000, UINT32)
NO_DISTANCE_M = (UINT32 / 100, UINT32)
# Height above sea level is stored in fifths of a metre, plus 500 m, as 16 bits or "enhanced" as 32.
NO_ELEVATION_M = (UINT16 / 5 - 500, UINT32 / 5 - 500, UINT32)
NO_ASCENT_M = (UINT16, UINT32)
