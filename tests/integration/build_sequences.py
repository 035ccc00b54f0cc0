"""How many random sequences of builds a property test tries, and how hypothesis draws them.

Belongs here: the settings that such tests share. Not here: what a sequence does (see the tests).
"""

import os

from hypothesis import HealthCheck, Phase, settings


def sequences(variable: str, default: int = 3) -> settings:
    """The same few sequences in every run; as many new ones as the environment variable says, for a longer look."""
    return settings(
        max_examples=int(os.environ.get(variable, default)),
        derandomize=variable not in os.environ,
        database=None,
        print_blob=True,
        deadline=None,
        # A failing sequence is shown as it was found: each attempt to make it smaller costs seconds of builds.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
