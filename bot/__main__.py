"""The command line: each command loads only what it needs."""

from __future__ import annotations

import enum
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="gracewatch",
    help="Watches kernel mailing lists and says when a patch breaks the rules of RCU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
new = typer.Typer(help="Write the beginning of something new.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new, name="new")
db = typer.Typer(help="The database.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(db, name="db")
objects = typer.Typer(help="What is known of KVM's objects.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(objects, name="objects")

CANNOT = 2


class Format(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


class TableFormat(enum.StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    CALIBRATION = "calibration"


ConfigOption = Annotated[Path | None, typer.Option("--config", help="A TOML file; config/example.toml shows one.")]
TreeOption = Annotated[str, typer.Option("--tree", help="A kernel source directory or git repository.")]
RevOption = Annotated[str, typer.Option("--rev", help="The revision, when the tree is a git repository.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to say it.")]


@app.command()
def run(config: ConfigOption = None) -> None:
    """Watch the feeds and tell the chats, until Ctrl-C.  With no settings, the example series is watched.

    SIGHUP has the settings read anew.
    """
    from bot.cli import service
    from bot.health import HealthError
    from bot.ports import StoreError, TreeError
    from config.settings import SettingsError

    try:
        service.run(config)
    except (SettingsError, StoreError, TreeError, HealthError) as fault:
        fail(str(fault))


@app.command()
def check(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="PATCH_OR_MBOX...",
            help="Mails, mboxes, diffs; - is a pipe; a Message-ID or lore address: its thread is fetched.",
        ),
    ],
    tree: TreeOption = "",
    rev: RevOption = "",
    reverse: Annotated[bool, typer.Option("--reverse", help="Review the change that the patch undoes.")] = False,
    output: FormatOption = Format.TEXT,
    config: ConfigOption = None,
) -> None:
    """Review files without a service.  Exit code 0: no finding, 1: findings, 2: it could not be done."""
    from bot.cli import check as command
    from bot.ports import Archive, FeedError, TreeError
    from config.settings import SettingsError, load

    def archive() -> Archive:
        from bot.app import archive as configured

        return configured(load(config))

    try:
        raise typer.Exit(command.run(files, tree, rev, archive, reverse=reverse, as_json=output is Format.JSON))
    except (FeedError, TreeError, SettingsError) as fault:
        fail(str(fault))


@app.command()
def replay(
    feed: Annotated[
        str,
        typer.Argument(
            help="An mbox, a directory of mail, an archive; a Message-ID; the address of a list, thread or search."
        ),
    ],
    tree: TreeOption = "",
    rev: RevOption = "",
    since: Annotated[datetime | None, typer.Option(help="Pass over mail that was sent before.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Take at most so many mails; 0 is all.")] = 0,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin again, also when an earlier run was interrupted.")
    ] = False,
    output: FormatOption = Format.TEXT,
    config: ConfigOption = None,
) -> None:
    """Run a whole archive through the same path as the service, and say what it would have said.

    It works on all cores.  After Ctrl-C or a crash the same command goes on where it was.
    """
    from bot.cli import replay as command
    from bot.feeds.detect import Web
    from bot.ports import FeedError, StoreError, TreeError
    from config.settings import SettingsError, load

    def web() -> Web:
        from bot.app import web as configured

        return configured(load(config))

    try:
        command.run(feed, tree, rev, since, limit, web, as_json=output is Format.JSON, anew=anew)
    except (FeedError, StoreError, TreeError, SettingsError) as fault:
        fail(str(fault))


@app.command()
def preview(
    channel: Annotated[str, typer.Argument(help="A channel of the settings: '#gracewatch', or console.")],
    span: Annotated[str, typer.Argument(help="How far back, such as 7d or 36h.")] = "7d",
    config: ConfigOption = None,
) -> None:
    """Print exactly what a channel would have been told in the last days: from the store, or else from the feeds."""
    from bot.cli import preview as command
    from bot.ports import FeedError, StoreError, TreeError
    from config.settings import SettingsError, duration, load
    from handlers.previewed import UnknownChannelError

    try:
        command.run(load(config), channel, duration(span))
    except (UnknownChannelError, FeedError, StoreError, TreeError, SettingsError) as fault:
        fail(str(fault))
    except ValueError as fault:
        fail(f"{span[:80]!r}: {fault}")


@app.command()
def evaluate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tsv", help="Known changes, a row each; docs/house.md says how.")
    ],
    tree: TreeOption = "",
    rev: RevOption = "",
    kind: Annotated[str, typer.Option(help="What to look at: some of intro,reversed,fix,clean.")] = "intro,fix,clean",
    jobs: Annotated[int, typer.Option(min=1, help="Reviews at the same time.")] = os.cpu_count() or 1,
    limit: Annotated[int, typer.Option(min=0, help="Take at most so many; 0 is all.")] = 0,
    patience: Annotated[float, typer.Option(min=1, help="Seconds for one review.")] = 60,
    judged: Annotated[Path | None, typer.Option(help="What people said of alarms and misses.")] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Score other reviewers that are installed here too.")] = False,
    output: Annotated[TableFormat, typer.Option("--format", help="How to say it.")] = TableFormat.TEXT,
) -> None:
    """Review changes whose faults are known, and score what is found and what is said in vain."""
    from bot.cli import evaluate as command
    from bot.cli.peers import peers as found_peers
    from bot.cli.trees import tree_at
    from bot.ports import FeedError, TreeError
    from bot.truth.cases import TruthError, kinds

    try:
        source = tree_at(tree, rev)
        command.run(
            file,
            source,
            kinds(kind),
            jobs=jobs,
            limit=limit,
            patience=patience,
            judgements=judged,
            others=found_peers(tree, source) if peers else {},
            output=output.value,
        )
    except (TruthError, FeedError, TreeError) as fault:
        fail(str(fault))


@app.command()
def audit(
    tree: Annotated[Path, typer.Option("--tree", help="A directory of kernel sources.")],
    path: Annotated[
        list[str] | None, typer.Option(help="Files to audit, such as 'net/core/*'; KVM by default.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at the same time.")] = os.cpu_count() or 1,
    output: FormatOption = Format.TEXT,
) -> None:
    """List every suspect of a whole tree, whoever brought it.  Exit code 0: none, 1: some, 2: it could not be done."""
    from bot.cli import audit as command
    from bot.ports import TreeError

    try:
        raise typer.Exit(command.run(tree, path or (), jobs=jobs, as_json=output is Format.JSON))
    except TreeError as fault:
        fail(str(fault))


@app.command()
def index(
    tree: Annotated[str, typer.Argument(help="A kernel source directory or git repository.")],
    rev: RevOption = "",
    paths: Annotated[
        list[str] | None, typer.Option(help="Files to index, such as 'net/core/*'; KVM and what it needs by default.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at the same time.")] = os.cpu_count() or 1,
    config: ConfigOption = None,
) -> None:
    """Read a tree beforehand, so that each review finds it known.  Reviews add to the index what it lacks."""
    from bot.cli import index as command
    from bot.cli.trees import tree_at
    from bot.ports import TreeError

    try:
        command.run(tree_at(tree, rev, config), paths or (), jobs=jobs)
    except TreeError as fault:
        fail(str(fault))


@app.command()
def explain(rule: Annotated[str, typer.Argument(help="Its name; `gracewatch rules` lists them.")]) -> None:
    """Show a rule: what it asks, why, what to do instead, and its examples."""
    from bot.catalog import UnknownRuleError
    from bot.catalog import rule as named
    from bot.report.explain import page

    try:
        show(page(named(rule), whole=True))
    except UnknownRuleError as fault:
        fail(str(fault))


@app.command()
def rules() -> None:
    """List the rules."""
    from bot.catalog import rules as all_rules
    from bot.report.explain import index

    show(index(all_rules()))


@app.command()
def status(config: ConfigOption = None) -> None:
    """Say how the feeds do, and how much has come in, been reviewed and been said."""
    from bot.cli import status as command
    from bot.ports import StoreError, TreeError
    from config.settings import SettingsError, load

    try:
        command.run(load(config))
    except (SettingsError, StoreError, TreeError) as fault:
        fail(str(fault))


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check settings, database, feeds, tree and tokens; say what is wrong and the cure."""
    from bot.cli import doctor as command

    raise typer.Exit(command.run(config))


@db.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Bring the schema of the database up to date, as the service does when it begins.  Make a backup first."""
    from bot.cli import database as command
    from bot.ports import StoreError
    from config.settings import SettingsError, load

    try:
        command.upgrade(load(config).store_url)
    except (SettingsError, StoreError) as fault:
        fail(str(fault))


@app.command()
def migrate_store(
    source: Annotated[
        str, typer.Argument(help="Such as sqlite:///state/gracewatch.db; no service may be at work in it.")
    ],
    target: Annotated[
        str, typer.Argument(help="Such as postgresql://host/name, empty; left out: the store of the settings.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Copy all that one database holds into another: all of it or nothing.  Interrupted, it can be begun again."""
    from bot.cli import database as command
    from bot.ports import StoreError
    from config.settings import SettingsError, load

    try:
        command.move(source, target or load(config).store_url)
    except (SettingsError, StoreError) as fault:
        fail(str(fault))


@objects.command("verify")
def objects_verify(
    tree: Annotated[str, typer.Option("--tree", help="A kernel source directory or git repository.")],
    rev: RevOption = "",
    output: FormatOption = Format.TEXT,
) -> None:
    """Find the code that proves each entry of config/kvm.toml.  Exit code 0: all of it, 1: some is gone, 2: no tree."""
    from bot.cli import objects as command
    from bot.ports import TreeError

    try:
        raise typer.Exit(command.run(tree, rev, as_json=output is Format.JSON))
    except TreeError as fault:
        fail(str(fault))


@new.command("rule")
def new_rule(name: Annotated[str, typer.Argument(help="Such as plain-add-on-rculist.")]) -> None:
    """Write the page of a new rule into bot/rules, with examples that pass."""
    from bot.cli import new_rule as command

    try:
        print(command.write(name))
    except command.NameTakenError as fault:
        fail(str(fault))


def show(page: object) -> None:
    from bot.cli.showing import show as shown
    from bot.model import Page

    if isinstance(page, Page):
        shown(page)


def fail(reason: str) -> None:
    """Say why it could not be done, and end with the exit code for that."""
    print(f"gracewatch: {reason}", file=sys.stderr)
    raise typer.Exit(CANNOT)


def main() -> None:
    from bot import logs

    # Standard output is for what was asked; the service sets its own log up.
    logs.set_up("warning", "text")
    app()


if __name__ == "__main__":
    main()
