from engagement_assets.commands.install import uv_environment

# As `pip config list` prints it.
SETTINGS = """\
:env:.find-links='/wheels /more/wheels'
global.cert='/etc/ca.crt'
global.extra-index-url='file:///second file:///third'
global.index-url='https://global.example/simple'
install.index-url='https://mirror.example/simple?a=b'
install.user='false'
"""


def test_uv_takes_packages_from_where_pip_takes_them() -> None:
    assert uv_environment(SETTINGS, {}) == {
        "SSL_CERT_FILE": "/etc/ca.crt",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple?a=b",
        "UV_INDEX": "file:///second file:///third",
        "UV_FIND_LINKS": "/wheels,/more/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_variable_of_pip_wins_over_its_files_and_one_of_uv_over_both() -> None:
    settings = SETTINGS + ":env:.index-url='https://variable.example/simple'\n"
    assert uv_environment(settings, {})["UV_DEFAULT_INDEX"] == "https://variable.example/simple"
    assert "UV_DEFAULT_INDEX" not in uv_environment(settings, {"UV_DEFAULT_INDEX": "https://own.example/simple"})
