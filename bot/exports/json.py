"""What `check --format json` prints: version 1 of a format that other programs may rely on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from bot.model import Evidence, Finding, Review, Scan, Series

VERSION = 1


def document(scan: Scan, reviewed: Iterable[tuple[Series, Review]]) -> str:
    """A run as JSON, indented, in ASCII: bytes of a mail that are no UTF-8 stay visible as escapes."""
    return written(scan, [entry(series, review) for series, review in reviewed])


def written(scan: Scan, entries: Sequence[dict[str, Any]]) -> str:
    """A run of which only the entries are still at hand, as JSON."""
    return json.dumps(
        {
            "version": VERSION,
            "scanned": {
                "messages": scan.messages,
                "patches": scan.patches,
                "series": scan.series,
                "functions": scan.functions,
            },
            "series": list(entries),
            "unreadable": [{"source": one.source, "reason": one.reason} for one in scan.unreadable],
        },
        indent=2,
    )


def entry(series: Series, review: Review) -> dict[str, Any]:
    """What a run says of one series."""
    return {
        "key": series.key,
        "title": series.title,
        "version": series.version,
        "message_ids": list(series.message_ids),
        "findings": [_finding(finding) for finding in review.findings],
        "quiet": [{"rule": quiet.rule, "reason": quiet.reason} for quiet in review.quiet],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "confidence": finding.confidence,
        "path": finding.path,
        "function": finding.function,
        "line": finding.line,
        "text": finding.text,
        "touched": finding.touched,
        "introduced_by": finding.introduced_by,
        "evidence": [_evidence(item) for item in finding.evidence],
        "fingerprint": finding.fingerprint,
        "context": finding.context.value,
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "role": item.role.value,
        "path": item.path,
        "function": item.function,
        "line": item.line,
        "code": item.code,
        "origin": item.origin,
    }
