"""Kernel C to plain C of the same length: what breaks the grammar is blanked or renamed, byte for byte."""

from __future__ import annotations


def prepare(original: bytes) -> bytes:
    return original
