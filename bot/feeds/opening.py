"""Opens a file of mail, plain, gzip or xz, and gives what is in it; shared by the feeds that read files."""

from __future__ import annotations

import asyncio
import gzip
import lzma
import zlib
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from bot.feeds import xz
from bot.feeds.splitting import MAX_MAIL_BYTES, Piece, Stream, as_mail, is_mbox, mails, single
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"
_HEAD = 4096
_HOP_ITEMS = 64
_HOP_BYTES = 4 << 20
Item = TypeVar("Item", bound=RawMail | Unreadable)


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The file's bytes, decompressed.  Raises FeedError with the cure when it cannot be read."""
    try:
        with path.open("rb") as plain:
            head = plain.read(len(_XZ))
            plain.seek(0)
            if head.startswith(_GZIP):
                with gzip.GzipFile(fileobj=plain) as stream:
                    yield stream
            elif head == _XZ:
                with xz.stream(plain) as unpacked:
                    yield unpacked
            else:
                yield plain
    except FileNotFoundError:
        raise FeedError(f"{path}: there is no such file; check the path") from None
    except PermissionError:
        raise FeedError(f"{path}: may not be read; give this user read permission") from None
    except IsADirectoryError:
        raise FeedError(f"{path}: is a directory; name the files in it, or replay it as a feed") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as fault:
        raise FeedError(f"{path}: its packed data is damaged or cut short ({fault}); fetch the file again") from None
    except OSError as fault:
        raise FeedError(f"{path}: {fault.strerror or fault}; check the disk and the mount") from None


def holds_mbox(path: Path) -> bool:
    """Whether a file begins like an mbox.  Raises FeedError."""
    with opened(path) as stream:
        return is_mbox(stream.read(_HEAD))


def pieces(path: Path, offset: int = 0, limit: int = MAX_MAIL_BYTES) -> Generator[Piece, None, None]:
    """The mails of a file from ``offset`` on: those of an mbox, or the one that it is, a bare diff made a mail.

    Raises FeedError, after the mails that could be read.
    """
    with opened(path) as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        if is_mbox(head):
            yield from mails(stream, offset, limit)
        elif offset == 0 and head.strip():
            whole = single(stream, limit)
            data = None if whole.data is None else as_mail(whole.data, path.name)
            yield Piece(data, whole.start, whole.end)


class EndlessError(EOFError):
    """Packed data from elsewhere unpacks to more than it may."""


class Unpacking(gzip.GzipFile):
    """The bytes of a gzip that came from elsewhere.  Reading on behind ``most`` of them raises EndlessError."""

    def __init__(self, packed: BinaryIO, most: int) -> None:
        super().__init__(fileobj=packed)
        self._most = most

    def read1(self, size: int = -1) -> bytes:
        if self.tell() > self._most:
            raise EndlessError(f"it unpacks to more than {self._most} bytes")
        return super().read1(size)


def oversize(source: str, piece: Piece, limit: int, position: str) -> Unreadable:
    size = piece.end - piece.start
    return Unreadable(source, f"{size} bytes, more than the {limit} that a mail may have", "read it by hand", position)


async def in_thread(items: Generator[Item, None, None]) -> AsyncIterator[Item]:
    """Items of a generator that blocks, made in a thread, some at a time so that memory stays bounded.

    Nested generators are best plain ones: asyncio cannot end a chain of asynchronous ones that somebody left early.
    """
    fault: FeedError | None = None

    def some() -> list[Item]:
        nonlocal fault
        taken: list[Item] = []
        size = 0
        try:
            for item in items:
                taken.append(item)
                size += len(item.data) if isinstance(item, RawMail) else 0
                if len(taken) == _HOP_ITEMS or size > _HOP_BYTES:
                    break
        except FeedError as error:
            fault = error  # what was read before it comes first
        return taken

    hop: asyncio.Future[list[Item]] | None = None
    try:
        while True:
            hop = asyncio.ensure_future(asyncio.to_thread(some))
            taken = await asyncio.shield(hop)
            for item in taken:
                yield item
            if fault is not None:
                raise fault
            if not taken:
                return
    finally:
        if hop is not None and not hop.done():
            await asyncio.wait((hop,))  # cancelled: the thread is still at work in the generator
        items.close()
