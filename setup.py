"""What a wheel holds besides the package; all else stands in `pyproject.toml`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# What lies beside the package in a checkout, and within it in a wheel (engagement_assets/installation.py).
BESIDE_THE_PACKAGE = ("dbt_project", "dagster.yaml", "workspace.yaml")


class BuildWithProjectFiles(build_py):
    """Copies into the wheel what the package needs of the checkout."""

    def run(self) -> None:
        """Build the package, and add the copies; an editable package has the checkout itself."""
        super().run()
        if self.editable_mode:
            return
        for name in BESIDE_THE_PACKAGE:
            source, copy = Path(name), Path(self.build_lib, "engagement_assets", name)
            if source.is_dir():
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("target", "logs", "*.duckdb*"))
            else:
                shutil.copyfile(source, copy)


setup(cmdclass={"build_py": BuildWithProjectFiles})
