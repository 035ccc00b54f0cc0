"""The settings about personal data: what is hidden, what is kept and for how long, and who may read files.

Belongs here: these fields of `Settings`, and how their values are read. Not here: all other settings (`settings.py`),
or what acts on them.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.contracts.personal import ID_KINDS, PersonalKind
from engagement_assets.per_source import NumberPerSource, PerSource
from engagement_assets.privacy.policy import PrivacyPolicy

DEFAULT_UMASK = 0o077
MIN_KEY_BYTES = 32
MIN_RAW_RETENTION_DAYS = 90


def _read_kinds(text: object) -> object:
    """Read `child, device` as kinds of ids; return values other than text unchanged.

    Raises:
        ValueError: a part is no kind, or one whose values are no ids.
    """
    if not isinstance(text, str):
        return text
    kinds = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := sorted(set(kinds) - ID_KINDS):
        raise ValueError(f"expected kinds of ids ({', '.join(sorted(ID_KINDS))}) with commas between, found {wrong}")
    return frozenset(map(PersonalKind, kinds))


def _read_umask(mask: object) -> int:
    """An octal umask that keeps files from everybody but their owner and, perhaps, a group."""
    written = mask if isinstance(mask, str) else f"{mask:03o}"
    if not re.fullmatch("0*[0-7]?7", written):
        raise ValueError(
            "expected an octal mask that takes everything from others and nothing from the owner, such as 077 or 027, "
            f"found {written!r}"
        )
    return int(written, 8)


def _refuse_short_key(key: str) -> None:
    """Refuse a key that could be found by trying.

    Raises:
        ValueError: it has too few bytes; the text has their number only.
    """
    if (found := len(key.encode())) < MIN_KEY_BYTES:
        raise ValueError(
            f"expected at least {MIN_KEY_BYTES} bytes, so that nobody finds the key by trying, found {found}; "
            "make a key with: openssl rand -hex 32"
        )


KindsOfIds = Annotated[frozenset[PersonalKind], NoDecode, BeforeValidator(_read_kinds)]


class PrivacySettings(BaseSettings):
    """The part of a deployment's settings that is about personal data."""

    pseudonym_key: SecretStr | None = Field(
        default=None,
        description="The key of pseudonyms, at least 32 bytes. Unset: ids stay, and failing rows mask them. A key that "
        "replaces another one keeps it behind a comma: new,old.",
    )
    pseudonymize: KindsOfIds = Field(
        default=frozenset({PersonalKind.CHILD, PersonalKind.DEVICE}),
        description="The kinds of ids that become pseudonyms in every source once there is a key.",
    )
    land_unneeded_ids: KindsOfIds = Field(
        default=frozenset(),
        description="The kinds of ids that are landed although no table needs them: child, device.",
    )
    erasure_key: SecretStr | None = Field(
        default=None,
        description="Key of the hashes that stand for erased persons, at least 32 bytes. Once somebody was erased, it "
        "must never change.",
    )
    erasures_path: Path = Field(
        default=Path(), description="Where a copy of the tombstones lies, apart from the lake and its backups."
    )
    quarantine_raw_text: bool = Field(
        default=False,
        description="Keep the raw texts of rejected records in the lake, with all personal values; the warehouse and "
        "the published copy never have them.",
    )
    strava_places: KeptPlaces = Field(
        default=KeptPlaces.NONE,
        description="What is kept of the places of activities: none, or coarse, which is one cell of about 5 km for "
        "all starts of an athlete's season.",
    )
    raw_retention_days: NumberPerSource = Field(
        # A year to compare with, and a month: 13 months of what children did.
        default=PerSource(0, {"lingokids": 396}),
        description="Days after which the raw data of a day is removed; 0 keeps it. The tables cannot be rebuilt "
        "without it.",
    )
    strava_deleted_retention_days: int = Field(
        default=30,
        ge=0,
        description="Days after which an activity that Strava no longer has is erased, from the load that missed it "
        "first; 0 keeps it, marked as deleted.",
    )
    quarantine_retention_days: int = Field(
        default=90, ge=0, description="Days after which a quarantined record is removed; 0 keeps it."
    )
    alert_retention_days: int = Field(
        default=90, ge=0, description="Days after which a message is removed from `alerts.jsonl`; 0 keeps it."
    )
    log_retention_days: int = Field(
        default=30,
        ge=0,
        description="Days after which logs of steps, sensors and schedules are removed; 0 keeps them.",
    )
    run_retention_days: int = Field(
        default=90, ge=0, description="Days after which runs that are no longer needed are removed; 0 keeps them."
    )
    files_umask: Annotated[int, BeforeValidator(_read_umask)] = Field(
        default=DEFAULT_UMASK,
        description="The umask of all files that the project writes, octal: 077 for the owner alone, 027 lets a group "
        "read them.",
    )

    @field_validator("pseudonym_key")
    @classmethod
    def _cannot_be_guessed(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        links = [link.strip() for link in key.get_secret_value().split(",")]
        for link in links:
            _refuse_short_key(link)
        return SecretStr(",".join(links))

    @field_validator("erasure_key")
    @classmethod
    def _cannot_be_guessed_either(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _refuse_short_key(key.get_secret_value())
        return key

    @field_validator("raw_retention_days")
    @classmethod
    def _keep_what_runs_read(cls, days: PerSource) -> PerSource:
        shortest = min((number for number in (days.default, *days.by_source.values()) if number), default=None)
        if shortest is not None and shortest < MIN_RAW_RETENTION_DAYS:
            raise ValueError(
                f"expected 0 or at least {MIN_RAW_RETENTION_DAYS} days, found {shortest:g}: daily runs read trailing "
                "days again, and late records reach back further"
            )
        return days

    @cached_property
    def privacy_policy(self) -> PrivacyPolicy:
        """What the lake hides and leaves out of people."""
        return PrivacyPolicy(
            self.pseudonym_key_text,
            self.pseudonymize,
            self.land_unneeded_ids,
            erasure_key=self.erasure_key.get_secret_value() if self.erasure_key else None,
            erasures=self.erasures_path,
            keeps_raw_text=self.quarantine_raw_text,
        )

    @cached_property
    def pseudonym_key_text(self) -> str | None:
        """The pseudonym key in clear text, for extractors and for the failing rows that checks show."""
        return self.pseudonym_key.get_secret_value() if self.pseudonym_key else None
