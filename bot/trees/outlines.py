"""The outlines of a tree's files: taken from the index, or made and kept there."""

from __future__ import annotations

from collections.abc import Mapping

from bot.code.outline import outline_of
from bot.trees.index import Index, blob_name


def decoded(data: bytes) -> str:
    """Source text in the way of Message.body: every byte can be had back."""
    return data.decode("utf-8", "surrogateescape")


def outlines(index: Index, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The outlines of source files by path; none when the index does not last: whoever needs one can make it then."""
    if not index.lasting:
        return {}
    blobs = {path: blob_name(data) for path, data in files.items()}
    known = dict(index.outlines([*blobs.values()]))
    fresh = {blob: outline_of(decoded(files[path])) for path, blob in blobs.items() if blob not in known}
    index.keep(fresh.items())
    known.update(fresh)
    return {path: known[blob] for path, blob in blobs.items()}
