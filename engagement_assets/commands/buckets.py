"""Places on S3 that cannot be used, in a sentence: asked before a command begins, and told if S3 fails one later.

Belongs here: what S3 answers, and what a person does about it. Not here: which commands ask (`preflight.py`), or the
extra that S3 needs.
"""

import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import fsspec

from engagement_assets.lake.claims import FOLDER as CLAIMS_FOLDER
from engagement_assets.lake.object_store import ConditionalWritesError, ObjectStore
from engagement_assets.settings import Settings

# A person waits for this, so it is not tried for minutes.
_BRIEFLY = {"connect_timeout": 5, "read_timeout": 10, "retries": {"max_attempts": 0}}
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOError",
)


def why_unusable(setting: str, uri: str) -> str | None:
    """Why what lies at `s3://…` cannot be listed, after asking; None if it can, or if nobody can ask."""
    if not is_bucket(uri) or find_spec("s3fs") is None:
        return None
    filesystem, root = fsspec.core.url_to_fs(uri, skip_instance_cache=True, config_kwargs=_BRIEFLY)
    filesystem.retries = 1
    bucket, _, prefix = root.partition("/")
    try:
        filesystem.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except (OSError, import_module("botocore.exceptions").BotoCoreError) as error:
        return _sentence(f"{setting}: {uri}", error)
    return None


def why_unsafe(lake_uri: str) -> str | None:
    """Why two loads could destroy each other's days in a lake at `s3://…`, after trying it out; None if they cannot."""
    if not is_bucket(lake_uri) or find_spec("s3fs") is None:
        return None
    filesystem, root = fsspec.core.url_to_fs(lake_uri)
    try:
        ObjectStore(filesystem, root.rstrip("/")).require_conditional_writes(CLAIMS_FOLDER)
    except ConditionalWritesError as error:
        return f"LAKE_URI: {error}"
    except OSError as error:
        return _sentence(f"LAKE_URI: {lake_uri}", error)
    return None


def why_s3_failed(settings: Settings, error: Exception) -> str | None:
    """What an error that has ended a command says of S3; None if it does not come from there."""
    if not any(Path(frame.filename).parent.name == "s3fs" for frame in traceback.extract_tb(error.__traceback__)):
        return None
    places = {"LANDING_URI": settings.landing_uri, "LAKE_URI": settings.lake_uri, "EXPORT_DIR": settings.export_dir}
    return _sentence(", ".join(f"{name}: {uri}" for name, uri in places.items() if is_bucket(uri)), error)


def is_bucket(uri: str) -> bool:
    """Whether a URI names a place on S3."""
    return uri.startswith("s3://")


def _sentence(place: str, error: Exception) -> str:
    found = " ".join(str(error).split()) or type(error).__name__
    exceptions = import_module("botocore.exceptions")
    if isinstance(error, tuple(getattr(exceptions, name) for name in _NO_CREDENTIALS)):
        return (
            f"{place}: expected credentials of S3, found none that work ({found}); set S3_ACCESS_KEY_ID and "
            "S3_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if isinstance(error, FileNotFoundError | exceptions.ParamValidationError):
        return f"{place}: expected a bucket, found none of this name ({found}); correct the name, or S3_ENDPOINT_URL"
    if isinstance(error, PermissionError):
        return (
            f"{place}: expected to be let in, found: {found}; check the credentials and their rights: s3:ListBucket "
            "and s3:GetObject, for a lake or exports also s3:PutObject and s3:DeleteObject"
        )
    return (
        f"{place}: expected an answer of S3, found: {found}; check the network, S3_ENDPOINT_URL, S3_REGION and the "
        "credentials"
    )
