"""Sets up logging: one line an event, key=value for people, JSON for machines, secrets redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

REDACTED = "[redacted]"
# Tokens of Slack, and passwords in URLs, wherever they turn up: a library may put them into its own messages.
_TOKEN = re.compile(r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]+")
_PASSWORD = re.compile(r"(://[^\s:/@]{0,64}:)[^\s/@]{1,256}@")
_SECRET_KEY = re.compile(r"token|secret|password|authorization", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONGEST = 4000
# They tell each request or job; what matters of that, we log ourselves.
CHATTY = ("aiohttp.access", "aiosqlite", "alembic", "apscheduler", "slack_bolt", "slack_sdk", "asyncio")


def set_up(level: str, style: str, out: TextIO | None = None, secrets: Iterable[str] = ()) -> None:
    """Log events of ``level`` and above to ``out`` (standard error): ``style`` is "text", "json" or "auto".

    Auto is text where ``out`` is a terminal, else JSON.  What libraries log goes the same way.  ``secrets`` are shown
    nowhere, whatever form they have and whoever logs them.
    """
    redact = Redaction(frozenset(secret for secret in secrets if secret))
    stream = out or sys.stderr
    as_json = style == "json" or (style == "auto" and not stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=False,  # a library's logger may be made before this
    )
    handler = logging.StreamHandler(stream)
    last: Processor = structlog.processors.JSONRenderer() if as_json else _line
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_number(level))
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING if level != "debug" else logging.DEBUG)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


@dataclass(frozen=True, slots=True)
class Redaction:
    """Takes secrets out of events, and what would break their line or fill the disk."""

    secrets: frozenset[str]

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if _SECRET_KEY.search(key):
                event[key] = REDACTED
            elif not isinstance(value, int | float | None) and not key.startswith("_"):
                event[key] = _clean(value, self.secrets)
        return event


def _clean(value: object, secrets: frozenset[str]) -> str:
    text = value if isinstance(value, str) else str(value)
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    text = _PASSWORD.sub(rf"\1{REDACTED}@", _TOKEN.sub(REDACTED, text))
    text = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    fields = dict(event)
    first: Sequence[str] = (
        str(fields.pop("timestamp", "")),
        f"{fields.pop('level', ''):<7}",
        str(fields.pop("event", "")),
    )
    return " ".join((*first, *(f"{key}={_quoted(value)}" for key, value in fields.items())))


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not re.search(r'[\s="]', text) else '"' + text.replace('"', "'") + '"'
