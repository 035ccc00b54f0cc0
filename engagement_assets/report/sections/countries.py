"""Names of countries, from the Unicode CLDR as Babel has it.

Belongs here: naming countries by their ISO 3166 codes. Not here: which codes a section shows.
"""

from collections.abc import Iterable

import pandas as pd
from babel import Locale


def country_names(codes: Iterable[str]) -> pd.DataFrame:
    """`country_code`, as it is in the data, and `country_name` in English; a code without a name is its own name."""
    names = Locale("en").territories
    found = sorted(set(codes))
    return pd.DataFrame(
        {"country_code": found, "country_name": [names.get(code.upper(), code) for code in found]}, dtype="object"
    )


def country_options(codes: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Options of a filter by code: all of them, then each by its name and code, in the order of the names."""
    named = country_names(codes).sort_values("country_name", key=lambda names: names.str.casefold())
    return (
        ("", "all"),
        *(
            (code, code if name == code else f"{name} ({code})")
            for code, name in named.itertuples(index=False, name=None)
        ),
    )
