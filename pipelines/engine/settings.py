"""Settings: ``EXLAKE_*`` variables over ``exlake.toml`` over defaults.

Nothing here imports Spark. A key that does not exist or a value that is not
allowed is refused with the key, the value and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts.errors import TerminalError
from pipelines.engine.place import LocalStorage, Place, Storage

PREFIX = "EXLAKE_"
OUTSIDE = frozenset(
    {"EXLAKE_SHARED", "EXLAKE_CONFIG", "EXLAKE_TEST_FULL", "EXLAKE_FAULT", "EXLAKE_TRAIN"}
)
"""Variables with our prefix that are not settings (tests, the place of exlake.toml)."""


SMTP = frozenset({"smtp", "smtp+starttls", "smtps"})
WEB = frozenset({"http", "https"})
HOUR = r"([01]\d|2[0-3]):[0-5]\d"
WINDOW = rf"{HOUR}-{HOUR}"
ADDRESS = r"^[^@\s,<>]+@[^@\s,<>]+$"
ADDRESSES = r"^[^@\s,<>]+@[^@\s,<>]+(,\s*[^@\s,<>]+@[^@\s,<>]+)*$"


class SettingsError(TerminalError):
    """Raised when a setting is unknown or its value is not allowed."""

    code = "settings"

    def __init__(self, key: str, value: object, allowed: str, origin: str):
        self.key = key
        self.value = value
        self.allowed = allowed
        self.origin = origin
        super().__init__(
            f"{key} = {value!r} ({origin}) is not allowed: {allowed}.",
            next_step=f"correct or remove {key}.",
        )


class Settings(BaseSettings):
    """How this machine runs the platform; ``home`` holds all a run writes, or all but tables."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(Path("lake"), description="a folder this user can write to")
    inbox_dir: Path | None = Field(None, description="the drop folder; default home/inbox")
    contracts_dir: Path | None = Field(None, description="a folder of contracts; default our own")
    master: Annotated[
        str, Field(pattern=r"^(local(\[(\*|\d+)\])?|spark://\S+|yarn|k8s://\S+)$")
    ] = Field("local[*]", description="local[N], local[*], spark://HOST:PORT, yarn or k8s://URL")
    jars_dir: Path | None = Field(None, description="the folder of Delta's jars; default ./.jars")
    tables: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/[\w-][\w.-]*)*$")] | None = (
        Field(None, description="s3://BUCKET or s3://BUCKET/PREFIX; default home")
    )
    s3_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/@]+$")] | None = Field(
        None, description="http://HOST:PORT or https://HOST of the store; default Amazon's"
    )
    s3_region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = Field(
        "us-east-1", description="a region, such as us-east-1"
    )
    s3_path_style: bool = Field(True, description="true (HOST/BUCKET) or false (BUCKET.HOST)")
    spark_options: dict[str, str] = Field(
        {}, description="a table of Spark's own settings (JSON text in a variable)"
    )
    jvm_compiler: Literal["auto", "full", "quick"] = Field(
        "auto", description="auto (by the rows a run reads), full, or quick (less compiling)"
    )
    driver_memory: Annotated[str, Field(pattern=r"^[1-9]\d*[mg]$")] = Field(
        "2g", description="a number with m or g, such as 1500m or 2g"
    )
    shuffle_partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        2, description="a whole number from 1 to 10000"
    )
    parallel_products: Annotated[int, Field(ge=1, le=16)] | None = Field(
        None, description="a whole number from 1 to 16; default by the rows a run reads"
    )
    commit: Literal["auto", "held", "staged"] = Field("auto", description="auto, held or staged")
    expectations_engine: Literal["auto", "pandas", "spark"] = Field(
        "auto", description="auto, pandas or spark"
    )
    expectations_pandas_rows: Annotated[int, Field(ge=0)] = Field(
        500_000, description="a whole number: batches up to this size are judged in pandas"
    )
    lock_wait_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        30.0, description="seconds from 0 to 86400"
    )
    unpacked_limit_bytes: Annotated[int, Field(ge=1_000)] = Field(
        8_000_000_000, description="bytes a delivered file may unpack to, at least 1000"
    )
    unpacked_ratio_limit: Annotated[int, Field(ge=2)] = Field(
        200, description="how many times its own size a file may unpack to, at least 2"
    )
    retention_hours: Annotated[int, Field(ge=24)] = Field(
        168, description="hours vacuum keeps unreferenced files, at least 24"
    )
    fetch: bool = Field(False, description="true or false: landing asks the web addresses too")
    http_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        30.0, description="seconds of silence after which an address is asked again, up to 600"
    )
    http_total_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        300.0, description="seconds one answer may take, up to 3600"
    )
    http_pause_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        1.0, description="seconds between two requests to one host, up to 600"
    )
    http_limit_bytes: Annotated[int, Field(ge=1_000)] = Field(
        256_000_000, description="bytes one answer may have, at least 1000"
    )
    airflow_port: Annotated[int, Field(ge=1024, le=65_535)] = Field(
        8080, description="a port from 1024 to 65535"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="DEBUG, INFO, WARNING or ERROR"
    )

    messages_smtp: SecretStr | None = Field(
        None, description="smtp://, smtp+starttls:// or smtps://[USER:PASSWORD@]HOST:PORT"
    )
    messages_from: Annotated[str, Field(pattern=ADDRESS)] = Field(
        "exlake@localhost", description="one e-mail address"
    )
    messages_to: Annotated[str, Field(pattern=rf"^$|{ADDRESSES}")] = Field(
        "", description="e-mail addresses, separated by commas"
    )
    messages_webhook: SecretStr | None = Field(None, description="an http:// or https:// address")
    messages_quiet: Annotated[str, Field(pattern=rf"^$|^{WINDOW}(,{WINDOW})*$")] = Field(
        "", description="hours of silence, Beijing time, such as 22:00-07:00,12:00-13:00"
    )
    messages_digest: Annotated[str, Field(pattern=rf"^$|^{HOUR}$")] = Field(
        "18:30", description="when the day's digest is due, Beijing time, HH:MM; empty: never"
    )

    @field_validator("messages_smtp", "messages_webhook")
    @classmethod
    def _address(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = SMTP if info.field_name == "messages_smtp" else WEB
        if value is None or not value.get_secret_value():
            return None
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError("no address of the kinds that are allowed")
        _ = parts.port  # raises ValueError for what is no port
        return value

    @field_validator("spark_options", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("home", "inbox_dir", "contracts_dir", "jars_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load_settings`` gives: it reads the sources itself, to name them."""
        return (init_settings,)

    @property
    def jars(self) -> Path:
        """Where set-up puts Delta's jars: beside the project's folders."""
        return self.jars_dir or Path(__file__).resolve().parents[2] / ".jars"

    @property
    def landing(self) -> Path:
        """Deliveries as they were delivered, byte for byte."""
        return self.home / "landing"

    @property
    def inbox(self) -> Path:
        """Where sources drop their files."""
        return self.inbox_dir or self.home / "inbox"

    @property
    def publish(self) -> Path:
        """One DuckDB file per audience."""
        return self.home / "publish"

    @property
    def reports(self) -> Path:
        """Quality reports, one folder per kind."""
        return self.home / "reports"

    @property
    def ops(self) -> Path:
        """The platform's own ledgers."""
        return self.home / "ops"

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.home / "airflow"

    @property
    def locks(self) -> Path:
        """Lock files, one per table."""
        return self.home / "locks"

    @property
    def secrets(self) -> Path:
        """Keys of the masks, one file per audience, mode 0600."""
        return self.home / "secrets"

    @property
    def storage(self) -> Storage:
        """Where the products' tables lie."""
        if self.tables is None:
            return LocalStorage(self.home)
        from pipelines.engine.object_storage import Bucket, Endpoint

        endpoint = Endpoint(self.s3_endpoint, self.s3_region, self.s3_path_style)
        return Bucket(self.tables, endpoint)

    def table(self, product: str) -> Place:
        """The place of a product's table."""
        return self.storage.table(product)


def load_settings(
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
    **overrides: Any,
) -> Settings:
    """Read settings from overrides, then ``EXLAKE_*``, then ``exlake.toml``, then defaults.

    ``config`` defaults to ``$EXLAKE_CONFIG`` or ``./exlake.toml`` when it exists. Raises
    SettingsError for the first key that is unknown or has a value that is not allowed.
    """
    env = os.environ if environ is None else environ
    named = config or (Path(env["EXLAKE_CONFIG"]) if env.get("EXLAKE_CONFIG") else None)
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for key, value, where, shown in _given(env, named or Path("exlake.toml"), named is not None):
        values[key], origin[key], spelled[key] = value, where, shown
    for key, value in overrides.items():
        values[key], origin[key], spelled[key] = value, "given by the caller", key
    for key, value in values.items():
        if key not in Settings.model_fields:
            raise SettingsError(spelled[key], value, _known(key), origin[key])
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "settings"
        field = Settings.model_fields.get(key)
        allowed = field.description if field and field.description else str(first["msg"])
        # A secret that is spelled wrong is still a secret.
        value = values.get(key)
        if field and SecretStr in get_args(field.annotation):
            value = "…"
        elif isinstance(value, str):
            value = re.sub(r"//[^/@\s]*@", "//…@", value)
        raise SettingsError(
            spelled.get(key, key), value, f"must be {allowed}", origin.get(key, "default")
        ) from None


def _given(env: Mapping[str, str], config: Path, required: bool) -> list[tuple[str, Any, str, str]]:
    """(key, value, where it stands, key as written there), weakest source first."""
    found: list[tuple[str, Any, str, str]] = []
    if config.is_file():
        try:
            table = tomllib.loads(config.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(str(config), str(error), "must be TOML", "file") from None
        found += [(k, v, str(config), k) for k, v in table.items()]
    elif required:
        raise SettingsError("EXLAKE_CONFIG", str(config), "must be a file", "variable")
    for name, value in env.items():
        if name.startswith(PREFIX) and name not in OUTSIDE:
            found.append((name[len(PREFIX) :].lower(), value, "variable", name))
    return found


def _known(key: str) -> str:
    """What could have been meant."""
    close = difflib.get_close_matches(key, Settings.model_fields, n=1)
    names = ", ".join(sorted(Settings.model_fields))
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}the settings are {names}"
