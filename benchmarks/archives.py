"""The archives of real mail that benchmarks read, and git's own speed over the same mails, which is the floor."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.feeds.detect import feed_for
from bot.model import RawMail

CORPUS = Path(os.environ.get("MAIL_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))


@dataclass(frozen=True)
class Archive:
    """An archive as ``replay`` is given it, and the same mails in a git repository, a blob each."""

    name: str
    place: Path
    repository: Path
    blobs: tuple[bytes, ...]

    def floor(self) -> int:
        """Read every blob with git; the number of bytes."""
        command = ["git", "-C", str(self.repository), "cat-file", "--batch"]
        done = subprocess.run(command, input=b"\n".join(self.blobs), check=True, capture_output=True)
        return len(done.stdout)


async def mails(place: Path) -> list[RawMail]:
    return [item async for item in feed_for(str(place)).since("") if isinstance(item, RawMail)]


def archives(folder: Path) -> Iterator[Archive]:
    """Those that are in the corpus, made ready in ``folder``."""
    bundle = CORPUS / "feeds" / "kvm-ppc.0.bundle"
    if bundle.is_file():
        inbox = folder / "kvm-ppc"
        epoch = inbox / "git" / "0.git"
        _git(folder, "clone", "-q", "--mirror", str(bundle), str(epoch))
        commits = _git(epoch, "rev-list", "--reverse", "--all").split()
        yield Archive("kvm-ppc", inbox, epoch, _blobs(epoch, [commit + b":m" for commit in commits]))
    mailboxes = CORPUS / "mail" / "kvmarm.lists.cs.columbia.edu"
    if mailboxes.is_dir():
        repository = folder / "kvmarm.git"
        yield Archive("kvmarm", mailboxes, repository, _packed(mailboxes, repository))


def _packed(mailboxes: Path, repository: Path) -> tuple[bytes, ...]:
    """The mails of mailboxes as the blobs of a packed repository."""
    _git(repository.parent, "init", "-q", "--bare", str(repository))
    texts = [
        text for file in sorted(mailboxes.glob("*.mbox.gz")) for text in _texts(gzip.decompress(file.read_bytes()))
    ]
    stream = b"".join(b"blob\nmark :%d\ndata %d\n%s\n" % (n, len(text), text) for n, text in enumerate(texts, start=1))
    marks = repository / "marks"
    _git(repository, "fast-import", "--quiet", f"--export-marks={marks}", piped=stream)
    return tuple(line.split()[1] for line in marks.read_bytes().splitlines())


def _texts(mailbox: bytes) -> list[bytes]:
    return [text for text in (b"\n" + mailbox).split(b"\nFrom ") if text.strip()]


def _blobs(repository: Path, names: Sequence[bytes]) -> tuple[bytes, ...]:
    told = _git(repository, "cat-file", "--batch-check=%(objectname)", piped=b"\n".join(names))
    return tuple(told.split())


def _git(folder: Path, *words: str, piped: bytes = b"") -> bytes:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, input=piped, check=True, capture_output=True).stdout
