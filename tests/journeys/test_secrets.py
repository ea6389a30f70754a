"""No secret of the settings is written anywhere, whatever fails: not in log, output, figures, states or database."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.settings import Settings, load
from tests.journeys.gracewatch import EXAMPLES, gracewatch
from tests.journeys.service import service
from tests.store.postgres import needs_postgres, postgres

MARK = "hush-3f9a"
SECRETS = {
    "SLACK_BOT_TOKEN": f"xoxb-{MARK}-bot",
    "SLACK_APP_TOKEN": f"xapp-{MARK}-app",
    "SLACK_SIGNING_SECRET": f"{MARK}-signing",
    "MATRIX_ACCESS_TOKEN": f"{MARK}-matrix",
    # Nobody listens there.
    "GRACEWATCH_SLACK_API_URL": "http://127.0.0.1:9/api/",
    "GRACEWATCH_MATRIX_HOMESERVER": "http://127.0.0.1:9",
    "GRACEWATCH_MATRIX_CHANNEL": "#a:example.org",
    "GRACEWATCH_LOG_LEVEL": "debug",
}


def test_every_secret_setting_is_known_as_one() -> None:
    settings = load(None, {**SECRETS, "GRACEWATCH_STORE_URL": f"postgresql://me:{MARK}%40here@127.0.0.1:9/db"})
    shown = json.dumps(settings.model_dump(mode="json"), default=str) + repr(settings)
    hidden = [value for name, value in SECRETS.items() if name.endswith(("TOKEN", "SECRET"))]
    assert set(hidden) | {f"{MARK}%40here", f"{MARK}@here"} == set(settings.secrets)
    assert not [value for value in hidden if value in shown]
    named = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert named == set()  # those at the top would be forgotten by ``secrets``


def test_a_service_whose_chats_all_fail_tells_no_secret(tmp_path: Path) -> None:
    with service(tmp_path, others=SECRETS) as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: {line.get("chat") for line in it.events("page not taken")} >= {"slack", "matrix"})
        seen = json.dumps(it.ready())
        address = it.events("watching")[-1]["health"]
        with urllib.request.urlopen(f"{address}/metrics", timeout=60) as answer:  # noqa: S310  our own address
            seen += answer.read().decode()
    assert MARK not in seen
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"log", "out", "gracewatch.db"}
    assert not [path for path in written if MARK.encode() in path.read_bytes()]


@pytest.mark.parametrize("words", [("doctor",), ("status",), ("run",)])
def test_commands_whose_database_is_out_of_reach_tell_no_password(words: tuple[str, ...], tmp_path: Path) -> None:
    others = SECRETS | {"GRACEWATCH_STORE_URL": f"postgresql://me:{MARK}@127.0.0.1:9/db"}
    done = gracewatch(*words, state=tmp_path / "state", others=others)
    assert done.returncode != 0
    assert MARK.encode() not in done.stdout + done.stderr
    assert b"127.0.0.1" in done.stdout + done.stderr


@needs_postgres
def test_a_password_that_is_refused_is_not_told(tmp_path: Path) -> None:
    with postgres() as server:
        url = server.replace("postgres@", f"nobody:{MARK}@")
        done = gracewatch("run", state=tmp_path / "state", others={"GRACEWATCH_STORE_URL": url, **os.environ})
    assert done.returncode == 2
    assert b"nobody" in done.stdout + done.stderr
    assert MARK.encode() not in done.stdout + done.stderr


def test_a_secret_from_a_file_is_hidden_as_well(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{MARK}\n", "utf-8")
    given: Mapping[str, str] = {**SECRETS, "MATRIX_ACCESS_TOKEN_FILE": str(tmp_path / "token")}
    assert MARK in load(None, {k: v for k, v in given.items() if k != "MATRIX_ACCESS_TOKEN"}).secrets
