"""What Slack's errors mean for a delivery: wait, try again, or have somebody mend it, with the cure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.ports import Cause, ChatError

REFUSED_CONTENT = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "invalid_arguments", "no_text"}
)
# https://docs.slack.dev/reference/methods/chat.postMessage#errors, with what mends each.  Nothing that somebody can
# mend is final: the page waits in the outbox until it is mended.
_CURES: dict[Cause, dict[str, str]] = {
    Cause.ACCESS: {
        "invalid_auth": "check SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
        "not_authed": "set SLACK_BOT_TOKEN",
        "account_inactive": "the app was removed from the workspace; install it again and take its new token",
        "token_revoked": "install the app again and take its new token",
        "token_expired": "install the app again and take its new token",
        "missing_scope": "install the app again from config/slack-manifest.json",
        "no_permission": "install the app again from config/slack-manifest.json",
        "not_allowed_token_type": "SLACK_BOT_TOKEN starts with xoxb-, SLACK_APP_TOKEN with xapp-",
        "ekm_access_denied": "a workspace admin suspended posting",
        "org_login_required": "the workspace is being moved; wait until that is done",
        "team_access_not_granted": "a workspace admin must let the app in",
        "access_denied": "a workspace admin must let the app in",
    },
    Cause.CHANNEL: {
        "channel_not_found": "check the channel's name; a private one needs the bot invited: /invite @gracewatch",
        "not_in_channel": "invite the bot there: /invite @gracewatch",
        "is_archived": "unarchive the channel or name another one",
        "restricted_action": "a workspace preference forbids the bot to post there; ask a workspace admin",
        "restricted_action_read_only_channel": "the channel is read-only; let the bot post there",
        "restricted_action_thread_only_channel": "the channel takes replies only; let the bot post there",
        "restricted_action_non_threadable_channel": "the channel takes no threads; name another one",
    },
    Cause.GONE: {
        "message_not_found": "the message was deleted in Slack",
        "thread_not_found": "the message was deleted in Slack",
        "cant_update_message": "the message is not the bot's own",
        "edit_window_closed": "the workspace forbids edits so late",
    },
    Cause.CONTENT: dict.fromkeys(sorted(REFUSED_CONTENT), "please report it as a bug"),
}
_CAUSES = {code: (cause, cure) for cause, cures in _CURES.items() for code, cure in cures.items()}
TRANSPORT_FAULTS = (aiohttp.ClientError, SlackClientError, TimeoutError, OSError)
_TOO_MANY = 429


def understood(fault: Exception, channel: str) -> ChatError:
    """The ChatError for what the Slack client raised."""
    if not isinstance(fault, SlackApiError):
        # The address of a socket carries a ticket, so it stays out of the text.
        why = f"HTTP {fault.status}" if isinstance(fault, aiohttp.ClientResponseError) else str(fault)
        return ChatError(f"Slack did not answer: {type(fault).__name__}: {why}")
    response: Any = fault.response
    # A body that is no JSON is handed over as the HTTP client's own response.
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    data = getattr(response, "data", None) or {}
    code = str(data.get("error", "") if isinstance(data, dict) else "") or f"HTTP {status}"
    if status == _TOO_MANY or code in {"ratelimited", "rate_limited"}:
        reason = f"Slack asks to wait before more is said in {channel}"
        return ChatError(reason, cause=Cause.WAIT, retry_after=_wait(response))
    if code in _CAUSES:
        cause, cure = _CAUSES[code]
        return ChatError(f"Slack refuses {channel}: {code}; {cure}", cause=cause, final=cause is Cause.CONTENT)
    return ChatError(f"Slack could not take it for {channel}: {code}")


def _wait(response: Any) -> timedelta:
    headers = {str(name).lower(): value for name, value in (getattr(response, "headers", None) or {}).items()}
    try:
        seconds = float(headers.get("retry-after", 1))
    except ValueError:
        seconds = 1
    # A bad header must not silence a channel for ever.
    return timedelta(seconds=min(max(seconds, 1), 3600))
