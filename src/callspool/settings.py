"""Every setting: its name, default, bounds and meaning. The only place that reads the environment."""

import ipaddress
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from callspool.domain.errors import Misconfigured
from callspool.domain.identity import Admission, read_grants
from callspool.redaction import redact
from callspool.scheduler import address

PREFIX = "CALLSPOOL_"


def _from_seconds(value: object) -> object:
    """Take a bare number for seconds, also where it comes as text from the environment."""
    try:
        return timedelta(seconds=float(value)) if isinstance(value, str | int | float) else value
    except (ValueError, OverflowError):
        raise ValueError("Input should be a number of seconds") from None


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _public_url(text: str) -> str:
    url = urlsplit(text)
    is_right = url.scheme in {"http", "https"} and url.hostname and _has_port(text) and not url.username
    if not is_right or url.query or url.fragment:
        raise ValueError("it must be https://your.host, perhaps with a port or a path, and nothing behind that")
    return text


def _issuer(text: str) -> str:
    url = urlsplit(text)
    is_local = url.hostname in {"localhost", "127.0.0.1", "::1"}
    is_right = url.hostname and _has_port(text) and (url.scheme == "https" or (url.scheme == "http" and is_local))
    if text and (not is_right or url.username or url.query or url.fragment):
        raise ValueError("it must be https://the.issuer, as its tokens have it")
    return text


def _grants(text: str) -> str:
    read_grants(text)
    return text


def _has_port(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


Seconds = Annotated[timedelta, BeforeValidator(_from_seconds)]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def _as_text(value: object) -> str:
    match value:
        case timedelta():
            return str(value.total_seconds())
        case SecretStr():
            return value.get_secret_value()
    return str(value)


class Settings(BaseModel):
    """Read from ``CALLSPOOL_*``. Unknown names are refused, so that a typing error is not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(
        default=Path("callspool-data"),
        description="The folder of database, vault, spool, the embedded Valkey and the secret key.",
    )
    database_url: str = Field(
        default="",
        description="`sqlite:///…` or `postgresql://…`. Empty: SQLite in the data folder.",
    )
    valkey_url: Annotated[str, AfterValidator(address.checked)] = Field(
        default="",
        description="`valkey://host:port/0`, `valkey+cluster://host:port,host:port` (either with `valkeys` for TLS) or "
        "`unix:///path`. Empty: embedded, in the data folder.",
    )
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="http://127.0.0.1:8400",
        description="The address that providers and browsers use. Webhook signatures are checked against it.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8400, ge=0, le=65535, description="The port to listen on. 0: any free one.")
    secret_key_file: Path | None = Field(
        default=None,
        description="32 random bytes in hex: encrypts credentials, signs playback URLs. Empty: in the data folder.",
    )
    concurrency: int = Field(default=32, ge=1, le=1024, description="Most downloads at once in one worker process.")
    lease: Seconds = Field(
        default=timedelta(seconds=30),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=5),
        description="Seconds. How long a worker may be silent before its jobs are given to another.",
    )
    dedup_window: Seconds = Field(
        default=timedelta(seconds=120),
        ge=timedelta(seconds=1),
        description="Seconds. How long a repeated request joins a job without its place being checked (S1).",
    )
    fetch_deadline: Seconds = Field(
        default=timedelta(seconds=900),
        ge=timedelta(seconds=1),
        description="Seconds. The longest that one download may take (S4).",
    )
    queued_ttl: Seconds = Field(
        default=timedelta(seconds=1200),
        ge=timedelta(seconds=1),
        description="Seconds. A queued recording older than this is submitted again if its job is gone (S5).",
    )
    reconcile_every: Seconds = Field(
        default=timedelta(seconds=60),
        ge=timedelta(milliseconds=100),
        description="Seconds. How often the store is compared with the scheduler.",
    )
    sweep_every: Seconds = Field(
        default=timedelta(hours=6),
        ge=timedelta(seconds=1),
        description="Seconds. How often the vault is searched for files that no recording needs.",
    )
    scrub_every: Seconds = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        description="Seconds. How often each kept file is read again and compared with what was kept. 0: never.",
    )
    scrub_rate: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Bytes a second that are read for that, in each server, at most."
    )
    backfill_span: Seconds = Field(
        default=timedelta(hours=48),
        ge=timedelta(0),
        le=timedelta(days=30),
        description="Seconds. How far back each account is listed again and again, for what no webhook told. 0: never.",
    )
    backfill_every: Seconds = Field(
        default=timedelta(minutes=15),
        ge=timedelta(milliseconds=100),
        description="Seconds. How often that is done; a tenth more or less, so that accounts spread.",
    )
    backfill_pause: Seconds = Field(
        default=timedelta(milliseconds=500),
        ge=timedelta(0),
        le=timedelta(minutes=1),
        description="Seconds. Between two questions of one backfill to a provider.",
    )
    backfill_backlog: int = Field(
        default=200,
        ge=1,
        description="While so many jobs of the account's tenant wait, a backfill that was asked for lists no further.",
    )
    announced_ttl: Seconds = Field(
        default=timedelta(hours=4),
        ge=timedelta(seconds=1),
        description="Seconds. A recording that was announced longer ago is asked for at the provider.",
    )
    connect_timeout: Seconds = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="Seconds. To connect to a provider, to resolve its name included.",
    )
    first_byte_timeout: Seconds = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="Seconds. The longest wait for the first byte of a provider's answer, to connect included.",
    )
    stall_timeout: Seconds = Field(
        default=timedelta(seconds=30), gt=timedelta(0), description="Seconds. The longest silence within a download."
    )
    minimum_rate: int = Field(
        default=500, ge=0, description="Bytes a second, over 30 s. A slower download is broken off. 0: none."
    )
    retry_scale: float = Field(
        default=1.0, ge=0.0, le=10.0, description="Multiplies the retry delays of 2, 5, 10, 20 and 40 s (S3)."
    )
    spool_host: str = Field(
        default="127.0.0.1",
        description="The address on which a worker lets the API hear downloads under way. In a fleet: a private one.",
    )
    spool_port: int = Field(default=0, ge=0, le=65535, description="The port for that. 0: any free one.")
    spool_address: str = Field(
        default="",
        pattern=r"^(|[A-Za-z0-9.:\[\]_-]+:[0-9]{1,5})$",
        description="`host:port` under which the API reaches it. Empty: the address that is listened on.",
    )
    play_wait: Seconds = Field(
        default=timedelta(seconds=8),
        ge=timedelta(0),
        le=timedelta(seconds=60),
        description="Seconds. How long a play request waits for the first bytes before it gets 202.",
    )
    vault_url: str = Field(
        default="",
        pattern=r"^(|file:///.+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?]*)?(\?.*)?)$",
        description="`file:///folder`, or `s3://bucket/prefix?endpoint=https://…&region=…`. Empty: in the data folder.",
    )
    vault_access_key: str = Field(
        default="", description="For `s3://`. Empty: the machine's own credentials (AWS_…, an instance role)."
    )
    vault_secret_key: SecretStr = Field(default=SecretStr(""), description="For `s3://`.")
    vault_redirect: bool = Field(
        default=False,
        description="Send players to the object storage by a presigned address, where the vault has one. "
        "It holds for `PLAYBACK_TTL`, whatever is revoked or deleted meanwhile.",
    )
    renditions: bool = Field(
        default=True,
        description="Make a smaller form (Opus) of a recording when a player asks; it is kept beside the original.",
    )
    allowed_origins: str = Field(
        default="*",
        description="Web pages that may use API and audio from a browser: origins, comma-separated, or `*`. A "
        "tenant may have a list of its own.",
    )
    api_rate: int = Field(
        default=200,
        ge=0,
        description="Requests a second of one tenant, over 10 s, in each server process; then 429. Playing is not "
        "counted. 0: any.",
    )
    webhook_rate: int = Field(
        default=1000, ge=0, description="Signed webhooks a second of one account, counted likewise. 0: any."
    )
    trusted_proxies: str = Field(
        default="",
        description="Reverse proxies before this server: addresses or networks, comma-separated. Their X-Forwarded-For "
        "says who asks.",
    )
    playback_ttl: Seconds = Field(
        default=timedelta(minutes=15), gt=timedelta(0), description="Seconds. How long a signed playback URL is valid."
    )
    session_ttl: Seconds = Field(
        default=timedelta(hours=12),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description="Seconds. How long a browser stays signed in to the dashboard.",
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        default="",
        description="People may also sign in with this OpenID Connect provider: its issuer, `https://…`. Empty: they "
        "may not.",
    )
    oidc_client_id: str = Field(default="", description="What the provider calls callspool.", validate_default=True)
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Empty: a public client.")
    oidc_name: str = Field(
        default="", max_length=60, description="What people call the provider. Empty: its host's name."
    )
    oidc_scopes: str = Field(
        default="openid email profile",
        pattern=r"^openid( [\x21-\x7e]+)*$",
        description="What is asked of the provider, a space between them.",
    )
    oidc_user_claim: str = Field(
        default="email", min_length=1, description="The claim of the token that names a user here."
    )
    oidc_role_claim: str = Field(
        default="email", min_length=1, description="The claim that tells what a user may: a text or a list of them."
    )
    oidc_grants: Annotated[str, AfterValidator(_grants)] = Field(
        default="",
        description="`VALUE=operator` or `VALUE=tenant:NAME`, comma-separated: what a value of that claim allows; the "
        "first that fits counts. Of `email` a value may be a domain: `@example.com`. Who has none is not let in.",
    )
    drain_grace: Seconds = Field(
        default=timedelta(seconds=25),
        ge=timedelta(0),
        description="Seconds. After SIGTERM, how long running downloads may go on before they are handed back.",
    )
    spool_reserve: int = Field(
        default=256 * 1024 * 1024, ge=0, description="Bytes. With less free disk than this a worker claims nothing."
    )
    webhook_disable_after: Seconds = Field(
        default=timedelta(days=5),
        ge=timedelta(minutes=1),
        description="Seconds. A webhook endpoint at which nothing has arrived for so long is told no more.",
    )
    webhook_private: bool = Field(
        default=False,
        description="Let webhook endpoints be in private networks, and on plain http. For receivers of your own.",
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="Least level to log.")
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$", description="auto: console on a terminal.")
    shards: int = Field(
        default=1,
        ge=1,
        le=64,  # `scheduler.layout` looks for so many
        description="Parts of the scheduler, spread over a cluster by account. Change it by `callspool drain`.",
    )

    @field_validator("oidc_client_id")
    @classmethod
    def _is_client(cls, text: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not text:
            raise ValueError("CALLSPOOL_OIDC_ISSUER needs it")
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        _networks(text)
        return text

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: object) -> Self:
        """Read *environ*, or this process's own environment; *given* values win.

        Raises `Misconfigured`, naming what is wrong.
        """
        environ = os.environ if environ is None else environ
        names = {PREFIX + name.upper(): name for name in cls.model_fields}
        ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        if unknown := sorted(ours.keys() - names.keys()):
            raise Misconfigured(f"Unknown setting {unknown[0]}. Known: {', '.join(sorted(names))}.")
        try:
            return cls.model_validate({names[name]: value for name, value in ours.items()} | given)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
            message = first["msg"].removeprefix("Value error, ")
            raise Misconfigured(redact(f"{name}: {message} (it is {first['input']!r}).")) from None

    def as_environment(self) -> dict[str, str]:
        """Return the variables that give another process these very settings."""
        values = self.model_dump(exclude_none=True)
        return {PREFIX + name.upper(): _as_text(value) for name, value in values.items()} | {
            PREFIX + "DATA": str(self.data.absolute())
        }

    def for_child(self) -> dict[str, str]:
        """Return the environment of a process that we start: ours, with these very settings and no others."""
        return environment_without_settings() | self.as_environment()

    @property
    def admission(self) -> Admission:
        """Who of those that the identity provider vouches for may do what."""
        return Admission(self.oidc_user_claim, self.oidc_role_claim, read_grants(self.oidc_grants))

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of `trusted_proxies`."""
        return _networks(self.trusted_proxies)

    @property
    def spool(self) -> Path:
        """The folder of downloads under way."""
        return self.data / "spool"

    @property
    def vault(self) -> Path:
        """The folder of finished recordings."""
        return self.data / "vault"


def environment_without_settings() -> dict[str, str]:
    """Return this process's environment without any setting: for what must not follow a shell's ``CALLSPOOL_*``."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
