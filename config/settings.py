"""What an operator can set: every key with its type and meaning; defaults stand in default.toml."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.model import Level
from config.layers import (
    Key,
    Layer,
    SettingsError,
    look,
    merged,
    origin,
    shipped,
    spelled,
    surroundings,
    written,
)
from config.values import ArchiveAddress, Contact, Duration, HttpsAddress, ServerAddress, Word, duration

__all__ = ["Reference", "Settings", "SettingsError", "duration", "load", "reference"]


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Feed(Section):
    name: Word
    """How the feed is called in logs and figures; its place in the archive is remembered under this name."""
    kind: Literal["auto", "mbox", "directory", "public-inbox", "lore", "nntp"] = "auto"
    """`mbox`: one file, also packed. `directory`: a folder of mails. `public-inbox`: an archive, as git keeps it.
    `lore`: a list of a public-inbox on the web. `nntp`: its newsgroup. `auto`: look and see. A `url` of the kind
    `public-inbox` is mirrored by git in the state folder: prefer that."""
    path: Path | None = None
    """Where the file, folder or archive is; every feed has this or a `url`."""
    url: ArchiveAddress = ""
    """Where a list is read over the network: `https://lore.kernel.org/kvm/` or `nntps://host/group`."""
    backlog: int = Field(default=1000, ge=0)
    """How many of the newest mails are taken when a list is first read over the network; 0: all, of the web 50,000."""

    @model_validator(mode="after")
    def _one_place(self) -> Feed:
        if (self.path is None) == (not self.url):
            raise ValueError("say where its mail is: either path or url")
        scheme = urlsplit(self.url).scheme
        local = {"auto", "mbox", "directory", "public-inbox"}
        web, news = {"auto", "lore", "public-inbox"}, {"auto", "nntp"}
        if self.kind not in {"": local, "nntp": news, "nntps": news, "https": web, "http": web}[scheme]:
            raise ValueError(f"a feed of kind {self.kind} is not read from {self.place}; leave the kind out")
        return self

    @property
    def place(self) -> str:
        """Its path or its address."""
        return self.url or str(self.path)

    @property
    def on_the_web(self) -> bool:
        return self.url.startswith("http")


class State(Section):
    folder: Path
    """The one folder that gracewatch writes to."""


class StoreSettings(Section):
    url: str = Field(repr=False)  # may carry a password
    """An SQLAlchemy URL such as `sqlite:////var/lib/gracewatch.db`; empty: `gracewatch.db` in the state folder."""
    lease: Duration
    """How long a replica that says nothing keeps what it holds; then the others go on with it. The same for all."""


class Tree(Section):
    path: str
    """A kernel source folder or git repository to judge series against; empty: a review sees the patch's lines only."""
    rev: str
    """The revision to read when the tree is a git repository; empty: the files as they lie there."""
    index: str
    """The folder of the index of trees; empty: `index` in the state folder. It can be removed at any time."""
    index_megabytes: int = Field(ge=16)
    """How large the index may grow before what was not asked for longest is let go."""

    @property
    def index_bytes(self) -> int:
        return self.index_megabytes << 20


class Archive(Section):
    url: ArchiveAddress
    """The archive that `check` fetches threads from, besides those of the feeds; empty: from those alone."""
    contact: Contact
    """Your mail or web address: archives are told who asks. Nothing is read over the web without it."""

    @model_validator(mode="after")
    def _on_the_web(self) -> Archive:
        if self.url and not self.url.startswith("http"):
            raise ValueError("url: threads are fetched from https://host/list/")
        return self


class Mail(Section):
    poll: Duration
    """How often each feed is asked for new mail."""
    patience: Duration
    """How long missing parts of a series are waited for before it is reviewed as it is."""


class Review(Section):
    level: Level
    """The lowest level that is told in chat."""
    confidence: float = Field(ge=0, le=1)
    """The lowest confidence that is told in chat, 0 to 1."""
    pinned: tuple[str, ...]
    """Rules that go on speaking in threads, however often people find them wrong."""


class Maintainers(Section):
    channel: str
    """The channel that they decide for, as commands come from it: `#name`, or a channel id; `*`: every channel."""
    people: tuple[str, ...] = ()
    """The ids of people, as the chat calls them: `U024BE7LH`."""
    groups: tuple[str, ...] = ()
    """The ids of the chat's user groups: `S0614TZR7`."""


class Console(Section):
    enabled: bool
    """Print cards and warnings on standard output."""


class Slack(Section):
    channel: str
    """Where cards and warnings go, as `#name` or a channel id; invite the bot there."""
    api_url: HttpsAddress
    """Slack's Web API; another one only for a test server."""
    mode: Literal["socket", "http"]
    """How Slack reaches gracewatch: `socket`, over a connection that gracewatch opens; `http`, with signed requests to
    the address of `http_host` and `http_port`, which a proxy makes public as `https://…/slack/events`."""
    http_host: str
    """The address to listen on in mode `http`; `0.0.0.0` in a container."""
    http_port: int = Field(ge=0, le=65535)
    """The port to listen on in mode `http`; 0 lets the system choose one."""
    bot_token: SecretStr | None = None
    """The bot's token (`xoxb-…`), from `SLACK_BOT_TOKEN` or `SLACK_BOT_TOKEN_FILE`; with it and the secret of the mode
    Slack is on."""
    app_token: SecretStr | None = None
    """The app-level token (`xapp-…`) of mode `socket`, from `SLACK_APP_TOKEN` or `SLACK_APP_TOKEN_FILE`."""
    signing_secret: SecretStr | None = None
    """What requests are signed with in mode `http`, from `SLACK_SIGNING_SECRET` or `SLACK_SIGNING_SECRET_FILE`."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Slack:
        other, name = (
            (self.app_token, "APP_TOKEN") if self.mode == "socket" else (self.signing_secret, "SIGNING_SECRET")
        )
        for have, lack, wanted in ((self.bot_token, other, name), (other, self.bot_token, "BOT_TOKEN")):
            if have and not lack:
                raise ValueError(f"mode {self.mode} wants a second secret; set SLACK_{wanted} or SLACK_{wanted}_FILE")
        return self

    @property
    def enabled(self) -> bool:
        return self.bot_token is not None


class Matrix(Section):
    channel: str
    """Where cards and warnings go, as `#name:server` or a room id; invite the bot there. The room must not be
    encrypted."""
    homeserver: ServerAddress
    """The address of the server that the bot has its account on, such as `https://matrix.example.org`."""
    access_token: SecretStr | None = None
    """The bot's access token, from `MATRIX_ACCESS_TOKEN` or `MATRIX_ACCESS_TOKEN_FILE`; with it Matrix is on."""

    @model_validator(mode="after")
    def _reachable(self) -> Matrix:
        if self.access_token and not (self.homeserver and self.channel):
            raise ValueError("with an access token, matrix.homeserver and matrix.channel are wanted, too")
        return self


class Health(Section):
    enabled: bool
    """Serve /healthz, /readyz and /metrics."""
    host: str
    """The address to listen on; `0.0.0.0` in a container."""
    port: int = Field(ge=0, le=65535)
    """The port to listen on; 0 lets the system choose one."""


class Operators(Section):
    channel: str
    """Where notes about feeds go, in every chat that is on, such as `#gracewatch-ops`; empty: nowhere."""
    patience: Duration
    """How long a feed must fail before it is noted; how long a list may be silent is learnt from its own mail."""


class Log(Section):
    level: Literal["debug", "info", "warning", "error"]
    """The least important event that is logged."""
    format: Literal["auto", "text", "json"]
    """`text` for people, `json` for machines, `auto`: text on a terminal, else JSON."""


class Settings(BaseSettings):
    """All settings, checked.  Made by ``load``."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, nested_model_default_partial_update=False
    )

    feeds: tuple[Feed, ...]
    """Where mail comes from; none: the example that comes with gracewatch."""
    maintainers: tuple[Maintainers, ...]
    """Who decides what a channel is told; everyone may read and judge."""
    state: State
    store: StoreSettings
    tree: Tree
    archive: Archive
    mail: Mail
    review: Review
    console: Console
    slack: Slack
    matrix: Matrix
    operators: Operators
    health: Health
    log: Log

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the signature is pydantic-settings' own
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # ``load`` lays the sources over each other itself, so that an error can name the one that is to blame.
        return (init_settings,)

    @model_validator(mode="after")
    def _names_differ(self) -> Settings:
        names = [feed.name for feed in self.feeds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"feeds: two feeds are called {twice[0]!r}; give each its own name")
        return self

    @model_validator(mode="after")
    def _known_to_servers(self) -> Settings:
        shy = [feed.name for feed in self.feeds if feed.on_the_web and not self.archive.contact]
        if shy:
            raise ValueError(f"feeds: {shy[0]!r} asks a web server; set archive.contact, so that it knows who asks")
        return self

    @property
    def demo(self) -> bool:
        """Is nothing watched but the example that comes with gracewatch?"""
        example = {feed["path"] for feed in shipped("demo.toml").table["feeds"]}
        return {feed.place for feed in self.feeds} == example

    @property
    def index_folder(self) -> Path:
        return Path(self.tree.index or self.state.folder / "index")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be shown nowhere."""
        given = (self.slack.bot_token, self.slack.app_token, self.slack.signing_secret, self.matrix.access_token)
        password = urlsplit(self.store.url).password or ""
        return (*(one.get_secret_value() for one in given if one), *{password, unquote(password)} - {""})

    @property
    def store_url(self) -> str:
        return self.store.url or f"sqlite:///{self.state.folder / 'gracewatch.db'}"


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the defaults, then the operator's file, then the environment (``os.environ`` when None is given).

    Where neither names a feed, the example feed and tree are watched.  Raises SettingsError.
    """
    said = [written(path)] if path else []
    said.append(surroundings(Settings, os.environ if environment is None else environment))
    demo = [] if any(layer.table.get("feeds") for layer in said) else [shipped("demo.toml")]
    layers = [shipped("default.toml"), *demo, *said]
    table = merged(layers)
    if demo:
        table["feeds"] = demo[0].table["feeds"]  # an empty list of feeds is no feed
    try:
        return Settings(**table)
    except ValidationError as fault:
        raise SettingsError("\n".join(_sentence(error, layers) for error in fault.errors())) from None


def _sentence(error: ErrorDetails, layers: Sequence[Layer]) -> str:
    key = error["loc"]
    where = f"{origin(layers, key)}: {spelled(key)}" if key else origin(layers, ("feeds",))
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key{_nearest(key)}"
    value = look(merged(layers), key)
    # Where passwords and tokens are, and addresses that somebody put a password into.
    hidden = value is None or key[:1] in {("store",), ("slack",), ("matrix",)} or "@" in str(value)
    said = "" if hidden else f" (it is {_short(value)})"
    cure = error["msg"].removeprefix("Value error, ")
    return f"{where}{said}: {cure[:1].lower()}{cure[1:]}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(key: Key) -> str:
    plain = spelled(tuple(name for name in key if isinstance(name, str)))
    known = {row.key.replace("[]", "") for row in reference()} | set(Settings.model_fields)
    near = difflib.get_close_matches(plain, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; docs/settings.md lists all keys"


class Reference(NamedTuple):
    """One row of docs/settings.md."""

    key: str
    type: str
    default: str
    doc: str


def reference() -> Iterator[Reference]:
    """Every key that can be set, in the order of this file."""
    defaults = shipped("default.toml").table
    for section, field in Settings.model_fields.items():
        listed = get_origin(field.annotation) is tuple
        inner: Any = get_args(field.annotation)[0] if listed else field.annotation
        for name, leaf in inner.model_fields.items():
            key = f"{section}[].{name}" if listed else f"{section}.{name}"
            default = look(defaults, (section, name)) if leaf.is_required() else leaf.default
            yield Reference(key, _type(leaf.annotation), _shown(default), (leaf.description or "").replace("\n", " "))


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, str):
        return f'"{default}"'
    return "" if default is None else str(list(default) if isinstance(default, tuple) else default)


_TYPES: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Path | None: "path",
    tuple[str, ...]: "list of texts",
    timedelta: "duration",
    SecretStr | None: "secret",
    Level: "error, warning or note",
}


def _type(annotation: Any) -> str:
    if annotation in _TYPES:
        return _TYPES[annotation]
    *choices, last = (str(choice) for choice in annotation.__args__)
    return f"{', '.join(choices)} or {last}"
