"""From scores to the table of bot/calibration.py: how often each rule was right and wrong in each context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bot.model import Context
from bot.truth.cases import Kind
from bot.truth.score import Score

_HEAD = '''"""How often each rule was right and wrong in known changes, by context; made by `make calibration`."""

from __future__ import annotations

SEEN: dict[tuple[str, str], tuple[int, int]] = {'''


def seen(scores: Sequence[Score]) -> dict[tuple[str, str], tuple[int, int]]:
    """(rule, context) -> (right, wrong), each change counted once.

    Alarms about hunks are taken from the score without a tree, all others from the one with it.  A fix that is taken
    back counts when nothing right was said of the change that brought its bug: the two show the same fault.
    """
    counts: Counter[tuple[str, str, bool]] = Counter()
    for number, score in enumerate(one for one in scores if not one.peer):
        told = {
            (one.trial.row.case, alarm.rule)
            for one in score.changes
            if one.trial.kind is Kind.INTRO
            for alarm in one.alarms
            if score.true(one, alarm)
        }
        back = [one for one in score.ran if one.trial.kind is Kind.REVERSED]
        for outcome in (*score.changes, *back):
            for alarm in outcome.alarms:
                right = score.true(outcome, alarm)
                again = outcome.trial.kind is Kind.REVERSED and (
                    not right or (outcome.trial.row.case, alarm.rule) in told
                )
                if not again and (number == 0) == (alarm.context == Context.HUNK.value):
                    counts[alarm.rule, alarm.context, right] += 1
    keys = sorted({(rule, context) for rule, context, _ in counts})
    return {key: (counts[*key, True], counts[*key, False]) for key in keys}


def module(table: dict[tuple[str, str], tuple[int, int]]) -> str:
    """The source of bot/calibration.py."""
    rows = "".join(f'\n    ("{rule}", "{context}"): {counts},' for (rule, context), counts in table.items())
    return f"{_HEAD}{rows}\n}}\n" if rows else f"{_HEAD}}}\n"
