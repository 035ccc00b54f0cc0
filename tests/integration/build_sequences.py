"""How many random sequences of builds a property test tries, and how hypothesis draws them.

Belongs here: the settings and the draws that such tests share. Not here: what a sequence does (see the tests).
"""

import os
import random

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

# Hypothesis begins with the simplest example. Of single choices that is nothing but first choices, such as days that
# are all empty; of a seed it is a sequence like others.
draws = st.binary(min_size=8, max_size=8).map(random.Random)


def sequences(variable: str, default: int = 1) -> settings:
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
