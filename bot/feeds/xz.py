"""Reads an xz file as a stream, in the memory that we allow it and not in what its header asks for."""

from __future__ import annotations

import io
import lzma
from typing import BinaryIO

MOST_MEMORY = 96 << 20  # xz -9 asks for 65 MiB
_CHUNK = 1 << 16


def stream(packed: BinaryIO) -> io.BufferedReader:
    """The unpacked bytes of an xz file.  Reading raises lzma.LZMAError and EOFError where it is damaged."""
    return io.BufferedReader(_Unpacked(packed), _CHUNK)


class _Unpacked(io.RawIOBase):
    """lzma.LZMAFile does the same without a limit for memory.  Going back means beginning again."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._begin()

    def _begin(self) -> None:
        self._packed.seek(0)
        self._at = 0
        self._decompressor = _decompressor()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only offsets from the beginning")
        if offset < self._at:
            self._begin()
        while self._at < offset and self._some(min(_CHUNK, offset - self._at)):
            pass
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io gives it a memoryview
        data = self._some(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _some(self, size: int) -> bytes:
        """At least one more byte, b"" at the end."""
        while True:
            if self._decompressor.eof:
                rest = (self._decompressor.unused_data or self._packed.read(_CHUNK)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decompressor = _decompressor()  # files that were joined with cat
            else:
                rest = self._packed.read(_CHUNK) if self._decompressor.needs_input else b""
                if self._decompressor.needs_input and not rest:
                    raise EOFError("it ends in the middle")
            if data := self._decompressor.decompress(rest, size):
                self._at += len(data)
                return data


def _decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
