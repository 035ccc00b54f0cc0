"""Engagement data: from raw files and services to tables, as Dagster assets.

Belongs here: what every process of the project has in common. Not here: anything else, since whoever imports a module
of the package runs this first.
"""

import gc

# Dagster, dbt and the definitions are some million objects that stay. Python looks through all of them whenever it has
# looked at the new ones ten times and a quarter more has come: a twelfth of a daily run. Every thousand times is enough
# (docs/decisions/0019-where-the-time-goes.md).
gc.set_threshold(*gc.get_threshold()[:2], 1000)
