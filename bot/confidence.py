"""How certain a finding is: what its rule claims, moved by how often it was right in known changes."""

from __future__ import annotations

from bot.calibration import SEEN
from bot.model import Context
from bot.rule import Rule

# How many verdicts the author's own claim is worth.  Rules are few cases old: one lucky hit must not make one certain.
_CLAIM_WEIGHS = 4
_HUNK_DISCOUNT = 0.6  # half the evidence is out of sight
_NEAR_DISCOUNT = 0.8  # what is around the hunks may have been another when the patch was made
_FUZZ_DISCOUNT = 0.8
# A channel's usual bar is 0.6: what lines of a hunk cannot prove stays below it, however often the rule was right.
_HUNK_CEILING = 0.55


def confidence(rule: Rule, context: Context, claimed: float | None, *, fuzz: bool = False) -> float:
    """The confidence of one finding, 0 to 1: the mean of a beta distribution.

    ``claimed`` is what the rule says of this place, None for the rule's own figure.  Its right and wrong alarms in this
    context are added to that claim as to so many verdicts.  Hunks that do not prove the fault by themselves never reach
    a channel's usual bar; where another state of their file shows what is around them, they may.
    """
    unproven = context is Context.HUNK and not rule.hunk_proves
    claim = rule.confidence if claimed is None else claimed
    if unproven:
        claim *= _HUNK_DISCOUNT
    elif context is Context.NEAR and not rule.hunk_proves:
        claim *= _NEAR_DISCOUNT
    right, wrong = SEEN.get((rule.name, context.value), (0, 0))
    value = (claim * _CLAIM_WEIGHS + right) / (_CLAIM_WEIGHS + right + wrong)
    if unproven:
        value = min(value, _HUNK_CEILING)
    return round(value * _FUZZ_DISCOUNT if fuzz else value, 2)
