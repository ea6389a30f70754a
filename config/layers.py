"""Reads settings from where they may stand, each layer over the one before, and remembers which layer said what."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as UnparsableError

Table: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str | int, ...]

HERE = Path(__file__).parent
PREFIX = "GRACEWATCH_"
SECRETS = {
    ("slack", "bot_token"): "SLACK_BOT_TOKEN",
    ("slack", "app_token"): "SLACK_APP_TOKEN",
    ("slack", "signing_secret"): "SLACK_SIGNING_SECRET",
    ("matrix", "access_token"): "MATRIX_ACCESS_TOKEN",
}
# A Kubernetes service that is called gracewatch puts these into every container beside it; they are not ours.
NOT_OURS = (f"{PREFIX}SERVICE_", f"{PREFIX}PORT")


class SettingsError(Exception):
    """A setting is wrong; each line of the message names the file, the key and the cure."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One place where settings stand, as a person would call it, and what it says."""

    name: str
    table: Table


def shipped(name: str) -> Layer:
    """A layer that comes with gracewatch; where paths in it begin with examples/, they are beside this package."""
    table = tomllib.loads((HERE / name).read_text("utf-8"))
    for place in (*table.get("feeds", ()), table.get("tree", {})):
        if place.get("path"):
            place["path"] = str(HERE.parent / place["path"])
    return Layer(f"config/{name}", table)


def written(path: Path) -> Layer:
    """The operator's file.  Raises SettingsError when it cannot be read, is no TOML, or has a secret in it."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as fault:
        raise SettingsError(f"{path}: {fault.strerror}; give --config a file that can be read") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingsError(f"{path}: not a TOML file in UTF-8: {fault}; compare with config/example.toml") from fault
    for key, variable in SECRETS.items():
        if look(table, key) is not None:
            raise SettingsError(
                f"{path}: {spelled(key)}: a secret does not belong in a file of settings; "
                f"take it out and set {variable} or {variable}_FILE in the environment"
            )
    return Layer(str(path), table)


def surroundings(settings: type[BaseSettings], environment: Mapping[str, str]) -> Layer:
    """What the environment says.  Raises SettingsError for a name that nothing has and a file that cannot be read."""
    ours = dict(_ours(environment))
    sections = {name.upper() for name in settings.model_fields}
    for name in ours:
        section, _, rest = name.removeprefix(PREFIX).partition("_")
        if section not in sections:
            near = difflib.get_close_matches(section, sorted(sections), n=1)
            cure = f"did you mean {PREFIX}{near[0]}_{rest}?" if near else "docs/settings.md lists all keys"
            raise SettingsError(f"environment: {name}: no such setting; {cure}")
    source = EnvSettingsSource(settings, env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1)
    source.env_vars = {name.lower(): value for name, value in ours.items()}
    try:
        return Layer("environment", source())
    except UnparsableError as fault:
        raise SettingsError(f"environment: {fault}; write it as JSON, or use a settings file") from fault


def _ours(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Our variables by their full name: aliases spelled out, what a *_FILE variable names read, empty ones left out."""
    aliases = {short: PREFIX + "_".join(key).upper() for key, short in SECRETS.items()}
    for name, value in environment.items():
        stem = name.removesuffix("_FILE")
        full = aliases.get(stem, stem)
        if not value or not full.startswith(PREFIX) or full.startswith(NOT_OURS):
            continue
        yield full, _secret(name, value) if name != stem else value


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsError(
            f"environment: {name}: {path} cannot be read ({type(fault).__name__}); name a readable text file"
        ) from fault


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """All layers as one table; a later layer wins, key by key.  Lists are taken whole."""
    result: dict[str, Any] = {}
    for layer in layers:
        _lay(result, layer.table)
    return result


def _lay(below: dict[str, Any], above: Table) -> None:
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(name), dict):
            _lay(below[name], value)
        else:
            below[name] = dict(value) if isinstance(value, Mapping) else value


def origin(layers: Sequence[Layer], key: Key) -> str:
    """The name of the layer whose word about ``key`` counts."""
    for depth in range(len(key), 0, -1):
        for layer in reversed(layers):
            if look(layer.table, key[:depth]) is not None:
                return layer.name
    return layers[-1].name


def look(table: Any, key: Key) -> Any:
    """The value at ``key``, None when there is none."""
    for name in key:
        inside = isinstance(table, Mapping) or (isinstance(table, list) and isinstance(name, int))
        if not inside:
            return None
        try:
            table = table[name]
        except LookupError:
            return None
    return table


def spelled(key: Key) -> str:
    """A key as documentation writes it: ``feeds[0].path``."""
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in key).lstrip(".")
