"""The settings about S3, and handing them to what reads and writes there.

Belongs here: these fields of `Settings`, and what follows from them alone. Not here: what lies on S3 (`settings.py`,
`publishing_settings.py`), or whether it can be used (`commands/buckets.py`).

Python, DuckDB and dbt all reach S3 through fsspec, so this is the one place that they read. Spark has its own
(docs/scaling.md).
"""

from typing import Any

import fsspec.config
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings


class S3Settings(BaseSettings):
    """The part of a deployment's settings that is about S3; what is empty is what the AWS SDK finds."""

    s3_endpoint_url: str = Field(default="", description="The store's URL, if it is not Amazon's.")
    s3_region: str = Field(default="", description="The region of the buckets.")
    s3_access_key_id: str = Field(default="", description="Whose key it is.")
    s3_secret_access_key: SecretStr | None = Field(default=None, description="The key.")
    s3_session_token: SecretStr | None = Field(default=None, description="What a temporary key needs besides.")

    @field_validator("s3_secret_access_key", "s3_session_token")
    @classmethod
    def _belongs_to_a_key(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # Defaults are validated too.
        if secret and not info.data.get("s3_access_key_id"):
            raise ValueError("expected S3_ACCESS_KEY_ID too, found it empty")
        if not secret and info.field_name == "s3_secret_access_key" and info.data.get("s3_access_key_id"):
            raise ValueError("expected the secret of S3_ACCESS_KEY_ID, found none")
        return secret

    def use_s3(self) -> None:
        """Have all that this process opens on S3 from now on use these settings; without any, nothing changes."""
        secrets = {"secret": self.s3_secret_access_key, "token": self.s3_session_token}
        options: dict[str, Any] = {
            "endpoint_url": self.s3_endpoint_url,
            "key": self.s3_access_key_id,
            **{name: secret.get_secret_value() for name, secret in secrets.items() if secret},
            "client_kwargs": {"region_name": self.s3_region} if self.s3_region else {},
        }
        if found := {name: value for name, value in options.items() if value}:
            fsspec.config.conf["s3"] = found
