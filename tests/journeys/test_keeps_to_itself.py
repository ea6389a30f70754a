"""Whatever mail and chat ask of it, the service writes in its folders only, calls nobody else and runs nothing but git.

What each of its processes does is written down by ``recorder/sitecustomize.py``.
"""

from __future__ import annotations

import ast
import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chats.slack_server import APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, SlackServer, heard, needs_slack, slack_server
from tests.journeys.gracewatch import EXAMPLES, ROOT
from tests.journeys.service import service

pytestmark = needs_slack

AWAY = "http://169.254.169.254/latest/meta-data/"
OUTSIDE = "../../../../../../../../tmp/gracewatch-was-here"
HEADERS = f"""\
From: A <a@example.org>
Date: Mon, 02 Nov 2026 10:00:00 +0000
List-Archive: <{AWAY}>
List-Id: <{OUTSIDE}>
Archived-At: <{AWAY}>
X-Mailing-List: {OUTSIDE}
"""
DIFF = """\
--- {old}
+++ {new}
@@ -1,3 +1,3 @@ static void f(struct kvm *kvm)
 {{
-\tlist_del_rcu(&kvm->vm_list);
+\tlist_del(&kvm->vm_list);
 \tkfree(kvm);
"""
PATHS = (
    f"b/{OUTSIDE}.c",
    "/tmp/gracewatch-was-here.c",  # noqa: S108
    "b/.git/hooks/post-checkout",
    "b/$(touch gracewatch-was-here).c",
    "b/-o/--output=gracewatch-was-here.c",
    f"b/x.c\t{AWAY}",
    'b/"\\056\\056/\\056\\056/gracewatch-was-here.c"',
    "b/virt/kvm/kvm_main.c",
)
BASES = ("--upload-pack=touch gracewatch-was-here", "--output=gracewatch-was-here", "$(touch x)", "HEAD", "a" * 40)
ASKED = (
    f"check {AWAY}",
    "check http://localhost/kvm/a@b",
    "check file:///etc/passwd",
    f"check {OUTSIDE}@example.org",
    "check https://lore.kernel.org@169.254.169.254/kvm/a@b",
    f"check https://lore.kernel.org/{OUTSIDE}/",
    "check ext::sh -c touch% gracewatch-was-here",
)


def mails() -> str:
    """A series of one patch for every path and base."""
    found = []
    for number, path in enumerate(PATHS):
        for base in BASES:
            name = f"{number}-{BASES.index(base)}"
            body = DIFF.format(old=path.replace("b/", "a/", 1), new=path)
            found.append(
                f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{HEADERS}Subject: [PATCH {OUTSIDE}] KVM: <{AWAY}> {name}\n"
                f"Message-ID: <{OUTSIDE}/{name}@example.org>\nIn-Reply-To: <{AWAY}{name}>\n\n"
                f"See {AWAY} and https://lore.kernel.org/kvm/{name}@example.org/\n\nLink: {AWAY}\n---\n{body}\n"
                f"base-commit: {base}\nchange-id: {OUTSIDE}\n\n"
            )
    return "".join(found)


def repository(folder: Path) -> Path:
    """The example tree as a git repository."""
    shutil.copytree(EXAMPLES / "tree", folder)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "Begin")):
        subprocess.run(("git", *words), cwd=folder, check=True)
    return folder


class Record:
    """What was written down so far."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, what: str) -> set[str]:
        lines = (line.partition(" ") for line in self._file.read_text("utf-8").splitlines())
        return {subject for kind, _, subject in lines if kind == what}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder whose name leaves room for the names of sockets, which are short."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


async def test_no_mail_and_no_question_makes_it_reach_beyond_itself(tmp_path: Path, temporary: Path) -> None:
    record, own = Record(tmp_path / "record"), tmp_path / "own"
    for name in ("own", "slack"):
        (tmp_path / name).mkdir()
    async with slack_server(tmp_path / "slack") as server:
        others = {
            "PYTHONPATH": f"{ROOT / 'tests/journeys/recorder'}:{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "RECORD": str(tmp_path / "record"),
            "TMPDIR": str(temporary),
            "GRACEWATCH_TREE_PATH": str(repository(tmp_path / "tree")),
            "GRACEWATCH_TREE_REV": "HEAD",
            "GRACEWATCH_SLACK_API_URL": server.api_url,
            "GRACEWATCH_SLACK_CHANNEL": CHANNEL_NAME,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
        }
        living = service(own, others=others)
        it = await asyncio.to_thread(living.__enter__)
        try:
            await asyncio.to_thread(it.until, lambda: it.events("slack.listening"))
            await asked(server)
            (own / "coming").write_text(mails(), "utf-8")
            (own / "coming").rename(own / "first" / "hostile.mbox")
            shutil.copy(EXAMPLES / "kvm" / "v1.mbox", own / "first")
            await heard(server, "kvm_device_release()")
            await asyncio.to_thread(it.until_silent)
        finally:
            await asyncio.to_thread(living.__exit__, None, None, None)
        homes = {("127.0.0.1", int(address.rpartition(":")[2])) for address in (server.address, server.upstream)}
    assert {tuple(ast.literal_eval(address)[:2]) for address in record.of("connect") if address[0] == "("} <= homes
    assert record.of("connect")
    assert record.of("look-up") <= {"127.0.0.1", "localhost"}
    assert record.of("run") == {"git"}
    places = {place(path, own / "state", temporary) for path in record.of("write")}
    assert places == {"state", temporary.name, "/dev/null"}
    assert not list(tmp_path.rglob("*gracewatch-was-here*"))
    assert not list(Path("/tmp").glob("*gracewatch-was-here*"))  # noqa: S108  where the mails would have it


async def asked(server: SlackServer) -> None:
    """Ask it all, and wait for each answer."""
    for number, question in enumerate(ASKED):
        await server.say(f"<@{await server.bot_user()}> {question}")

        async def answered(number: int = number) -> bool:
            return len(await server.bot_messages()) > number

        await server.until(answered)


def place(path: str, *folders: Path) -> str:
    """Which of the folders it is in; itself where it is in none."""
    for folder in folders:
        if Path(path).is_relative_to(folder) and ".." not in Path(path).parts:
            return folder.name
    return path
