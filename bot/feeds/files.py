"""The feed of files named one by one: single mails, bare diffs, mboxes, and ``-`` for what is piped in."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Sequence
from pathlib import Path

from bot.feeds.opening import in_thread, opened, oversize, pieces
from bot.feeds.splitting import MAX_MAIL_BYTES
from bot.model import RawMail, Unreadable

STANDARD_INPUT = "-"


class Files:
    """Mails of the named files, in the order they were named.

    A position is the number of the file, from 0, and the offset behind the last mail taken.  Raises FeedError before
    any mail is given when one of the files cannot be opened.
    """

    def __init__(self, paths: Sequence[str], *, name: str = "files", limit: int = MAX_MAIL_BYTES) -> None:
        self.paths = tuple(paths)
        self.name = name
        self._limit = limit

    def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:
        return in_thread(self._read(position))

    async def count(self, position: str) -> int | None:
        if STANDARD_INPUT in self.paths:
            return None  # it can be read once only
        return await asyncio.to_thread(lambda: sum(1 for _ in self._read(position)))

    def _read(self, position: str) -> Generator[RawMail | Unreadable, None, None]:
        for path in self.paths:
            if path != STANDARD_INPUT:
                with opened(Path(path)):
                    pass
        first, _, offset = position.partition(":")
        begin = int(first) if first.isdigit() else 0
        for number, path in enumerate(self.paths):
            if number > begin or (number == begin and not offset.isdigit()):
                yield from self._file(number, path, 0)
            elif number == begin:
                yield from self._file(number, path, int(offset))

    def _file(self, number: int, path: str, offset: int) -> Generator[RawMail | Unreadable, None, None]:
        if path != STANDARD_INPUT:
            yield from self._mails(number, path, Path(path), offset)
            return
        # Whether it is an mbox shows at its beginning only, and a pipe cannot go back.
        with tempfile.NamedTemporaryFile(prefix="standard-input-") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
            yield from self._mails(number, "standard input", Path(copy.name), offset)

    def _mails(self, number: int, shown: str, path: Path, offset: int) -> Generator[RawMail | Unreadable, None, None]:
        empty = True
        for piece in pieces(path, offset, self._limit):
            empty = False
            after = f"{number}:{piece.end}"
            if piece.data is None:
                yield oversize(shown, piece, self._limit, after)
            else:
                yield RawMail(shown, after, piece.data)
        if empty and not offset:
            yield Unreadable(shown, "it is empty", "give a mail, an mbox or a diff", f"{number}:0")
