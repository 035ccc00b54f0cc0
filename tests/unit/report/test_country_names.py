"""Countries have their names, whatever the case of their codes; what is no country stays as it is."""

from engagement_assets.report.sections.countries import country_names, country_options


def test_a_code_has_its_name_and_anything_else_is_its_own() -> None:
    named = country_names(["us", "ES", "unknown", "zz9", "us"])
    assert dict(named.itertuples(index=False, name=None)) == {
        "ES": "Spain",
        "unknown": "unknown",
        "us": "United States",
        "zz9": "zz9",
    }
    assert country_names([]).empty


def test_options_are_in_the_order_of_the_names_and_keep_the_code() -> None:
    assert country_options(["us", "ch", "unknown", "de"]) == (
        ("", "all"),
        ("de", "Germany (de)"),
        ("ch", "Switzerland (ch)"),
        ("us", "United States (us)"),
        ("unknown", "unknown"),
    )
