"""Settings come from defaults, file and environment; whoever gets one wrong is told where, which and how to cure it."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from bot.model import Level
from config.settings import Settings, SettingsError, load, reference

ROOT = Path(__file__).parent.parent.parent
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-very-secret", "SLACK_APP_TOKEN": "xapp-very-secret"}


def written(folder: Path, text: str) -> Path:
    path = folder / "gracewatch.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_the_example_is_watched_on_the_console() -> None:
    settings = load(None, {})
    assert [feed.path for feed in settings.feeds] == [ROOT / "examples" / "kvm"]
    assert settings.tree.path == str(ROOT / "examples" / "tree")
    assert settings.console.enabled
    assert not settings.slack.enabled
    assert settings.store_url == "sqlite:///state/gracewatch.db"


def test_a_named_feed_puts_the_example_aside_with_its_tree_and_its_haste(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[[feeds]]\nname = "kvm"\nkind = "mbox"\npath = "kvm.mbox"\n'), {})
    assert [feed.name for feed in settings.feeds] == ["kvm"]
    assert settings.tree.path == ""
    assert settings.mail.patience == timedelta(hours=1)


def test_an_empty_list_of_feeds_means_the_example(tmp_path: Path) -> None:
    assert [feed.name for feed in load(written(tmp_path, "feeds = []"), {}).feeds] == ["examples"]


def test_the_operators_tree_beats_the_examples_tree(tmp_path: Path) -> None:
    assert load(written(tmp_path, '[tree]\npath = "linux"\n'), {}).tree.path == "linux"


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[mail]\npatience = "2h"\npoll = "1m"\n')
    settings = load(path, {"GRACEWATCH_MAIL_PATIENCE": "1h30m", "GRACEWATCH_REVIEW_LEVEL": "error"})
    assert settings.mail.patience == timedelta(minutes=90)
    assert settings.mail.poll == timedelta(minutes=1)
    assert settings.review.level is Level.ERROR


def test_feeds_can_stand_in_the_environment() -> None:
    feeds = '[{"name": "kvm", "kind": "public-inbox", "path": "/mirror/kvm"}]'
    assert load(None, {"GRACEWATCH_FEEDS": feeds}).feeds[0].path == Path("/mirror/kvm")


def test_tokens_turn_slack_on_and_are_never_shown() -> None:
    settings = load(None, TOKENS)
    assert settings.slack.enabled
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-very-secret"
    assert "very-secret" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_each_mode_of_slack_wants_its_own_secret() -> None:
    http = {"GRACEWATCH_SLACK_MODE": "http", "SLACK_BOT_TOKEN": "xoxb-1"}
    assert load(None, {**http, "SLACK_SIGNING_SECRET": "s3cret"}).slack.enabled
    with pytest.raises(SettingsError, match="SLACK_SIGNING_SECRET or SLACK_SIGNING_SECRET_FILE"):
        load(None, {**http, "SLACK_APP_TOKEN": "xapp-1"})
    with pytest.raises(SettingsError, match="SLACK_APP_TOKEN or SLACK_APP_TOKEN_FILE"):
        load(None, {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s3cret"})


def test_tokens_can_stand_in_files(tmp_path: Path) -> None:
    for name in ("bot", "app"):
        (tmp_path / name).write_text(f"x-{name}-token\n", "utf-8")
    files = {"SLACK_BOT_TOKEN_FILE": str(tmp_path / "bot"), "GRACEWATCH_SLACK_APP_TOKEN_FILE": str(tmp_path / "app")}
    slack = load(None, files).slack
    assert slack.bot_token is not None
    assert slack.app_token is not None
    assert slack.bot_token.get_secret_value() == "x-bot-token"
    assert slack.app_token.get_secret_value() == "x-app-token"


def test_a_password_of_the_database_is_not_shown() -> None:
    settings = load(None, {"GRACEWATCH_STORE_URL": "postgresql://bot:hunter2@db/gracewatch"})
    assert settings.store_url.endswith("@db/gracewatch")
    assert "hunter2" not in repr(settings)


def test_an_empty_variable_says_nothing() -> None:
    assert not load(None, {"SLACK_BOT_TOKEN": "", "GRACEWATCH_MAIL_POLL": ""}).slack.enabled


def test_what_kubernetes_puts_into_the_environment_is_not_ours() -> None:
    load(None, {"GRACEWATCH_PORT": "tcp://10.0.0.1:8490", "GRACEWATCH_SERVICE_HOST": "10.0.0.1"})


@pytest.mark.parametrize(
    "url", ["https://slack.example/api", "http://127.0.0.1:3100/api/", "http://[::1]:1/", "http://localhost/"]
)
def test_slack_can_be_a_test_server(url: str) -> None:
    assert load(None, {"GRACEWATCH_SLACK_API_URL": url}).slack.api_url == url.rstrip("/") + "/"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[slack]\nchanel = "#x"', "slack.chanel: no such key; did you mean slack.channel?"),
        ('[slak]\nchannel = "#x"', "slak: no such key; did you mean slack?"),
        ('[[feeds]]\nname = "a"\nkind = "mbox"\npth = "x"', "feeds[0].pth: no such key; did you mean feeds.path?"),
        ('[[feeds]]\nname = "a"\nkind = "imap"\npath = "x"', "feeds[0].kind (it is 'imap'): input should be"),
        ('[mail]\npoll = "soon"', "mail.poll (it is 'soon'): write a duration as"),
        ('[mail]\npoll = "0s"', "mail.poll"),
        ('[review]\nconfidence = 2', "review.confidence (it is 2): input should be less than or equal to 1"),
        ('[slack]\napi_url = "http://slack.example/"', "slack.api_url: write an https:// address"),
        ('[slack]\nbot_token = "xoxb-very-secret"', "set SLACK_BOT_TOKEN or SLACK_BOT_TOKEN_FILE"),
        ("[mail\n", "not a TOML file in UTF-8"),
        ("mail = 5\n", "mail (it is 5)"),
        ('[[feeds]]\nname="a"\nkind="mbox"\npath="x"\n' * 2, "two feeds are called 'a'"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_file_key_and_cure(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"GRACEWATCH_SLACK_CHANEL": "#x"}, "slack.chanel: no such key; did you mean slack.channel?"),
        ({"GRACEWATCH_SLAK_CHANNEL": "#x"}, "did you mean GRACEWATCH_SLACK_CHANNEL?"),
        ({"GRACEWATCH_HEALTH_PORT": "99999"}, "health.port (it is '99999')"),
        ({"GRACEWATCH_FEEDS": "[{"}, "write it as JSON"),
        ({"SLACK_BOT_TOKEN": "xoxb-very-secret"}, "set SLACK_APP_TOKEN or SLACK_APP_TOKEN_FILE"),
        ({"SLACK_BOT_TOKEN_FILE": "/no/such/file"}, "SLACK_BOT_TOKEN_FILE: /no/such/file cannot be read"),
    ],
)
def test_a_wrong_variable_is_told_name_and_cure(environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, environment)
    assert str(caught.value).startswith("environment: ")
    assert complaint in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_every_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, '[mail]\npoll = "x"\n[health]\nport = -1\n'), {"GRACEWATCH_LOG_LEVEL": "loud"})
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "nowhere.toml", {})


def test_the_example_for_operators_loads() -> None:
    settings = load(ROOT / "config" / "example.toml", TOKENS)
    assert [feed.name for feed in settings.feeds] == ["kvm", "kvmarm"]
    assert settings.slack.enabled


def test_every_key_has_a_meaning_and_all_but_secrets_a_default() -> None:
    rows = list(reference())
    assert all(row.doc for row in rows)
    undefaulted = {row.key for row in rows if not row.default and row.type != "secret"}
    assert undefaulted == {"feeds[].name", "feeds[].path", "maintainers[].channel"}


def test_default_toml_names_known_keys_only() -> None:
    table = tomllib.loads((ROOT / "config" / "default.toml").read_text("utf-8"))
    keys = {f"{section}.{name}" for section, inner in table.items() if isinstance(inner, dict) for name in inner}
    assert keys <= {row.key for row in reference()}
    assert set(table) == set(Settings.model_fields)


def test_a_list_on_the_network_is_a_feed(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[[feeds]]\nname = "web"\nurl = "https://lore.kernel.org/kvm"\n'
        '[[feeds]]\nname = "news"\nkind = "nntp"\nurl = "nntps://nntp.lore.kernel.org/org.kernel.vger.kvm"\n'
        '[archive]\ncontact = "me@example.org"\n',
    )
    settings = load(file, {})
    assert [feed.place for feed in settings.feeds] == [
        "https://lore.kernel.org/kvm/",
        "nntps://nntp.lore.kernel.org/org.kernel.vger.kvm",
    ]
    assert not settings.demo


@pytest.mark.parametrize(
    ("feed", "complaint"),
    [
        ("", "say where its mail is: either path or url"),
        ('path = "a"\nurl = "https://lore.kernel.org/kvm/"', "either path or url"),
        ('kind = "lore"\npath = "a"', "a feed of kind lore is not read from a"),
        ('kind = "mbox"\nurl = "https://lore.kernel.org/kvm/"', "a feed of kind mbox is not read from https://lore"),
        ('kind = "lore"\nurl = "nntp://h/g"', "a feed of kind lore is not read from nntp://h/g"),
        ('url = "http://lore.kernel.org/kvm/"', "feeds[0].url"),
        ('url = "ftp://h/g"', "write https://host/list/ or nntps://host/group"),
        ('url = "https://me:secret@h/g/"', "read without a password"),
        ('url = "https://lore.kernel.org/kvm/"', "'a' asks a web server; set archive.contact"),
    ],
)
def test_a_wrong_place_of_a_feed_is_told_with_its_cure(tmp_path: Path, feed: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, f'[[feeds]]\nname = "a"\n{feed}\n'), {})
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("contact", ["me@example.org)\\r\\nX: y", "(me)", "mé@example.org", "x" * 201])
def test_a_contact_cannot_break_out_of_its_header(tmp_path: Path, contact: str) -> None:
    with pytest.raises(SettingsError, match=r"archive\.contact"):
        load(written(tmp_path, f'[archive]\ncontact = "{contact}"\n'), {})
