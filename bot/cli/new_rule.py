"""gracewatch new rule: writes the page of a new rule, which asks a small question and passes its own examples."""

from __future__ import annotations

import re
from pathlib import Path

import bot.rules

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
_LONGEST = 60


class NameTakenError(Exception):
    """The name cannot be used; the message says why and what can."""


def write(name: str, folder: Path | None = None) -> str:
    """Write bot/rules/<name>.py and return what to do next.  Raises NameTakenError."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise NameTakenError(
            f"{name[:80]!r} is no name for a rule; write two or more lower-case words joined by dashes, "
            "such as plain-add-on-rculist"
        )
    stem = name.replace("-", "_")
    path = (folder or Path(bot.rules.__path__[0])) / f"{stem}.py"
    if path.exists():
        raise NameTakenError(f"there is a rule called {name} already: {path}")
    try:
        path.write_text(_PAGE.replace("NAME", name).replace("STEM", stem), "utf-8")
    except OSError as fault:
        raise NameTakenError(f"{path}: {fault.strerror}; make the folder writable, or work in a checkout") from fault
    return (
        f"{path} is written and works: it warns of call_rcu() with a NULL callback, as a start.\n"
        "Make the examples yours first, then the question, until this passes:\n"
        f"    .venv/bin/pytest -q tests/rules -k {name}\n"
        "Then `make docs` writes its page, and `make test` proves the whole."
    )


_PAGE = '''"""NAME: what the rule looks for, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.flow import StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

FAULT = Example(
    "the fault in a few lines",
    """\\
 static void gadget_free(struct gadget *g)
 {
+	call_rcu(&g->rcu, NULL); // <-- warns
 }
""",
)

CORRECT = Example(
    "what looks alike and is right",
    """\\
 static void gadget_free(struct gadget *g)
 {
+	call_rcu(&g->rcu, gadget_free_rcu);
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 8",),
    why="What goes wrong, and on which machine or under which load it shows.",
    instead="What to write in its place.",
    bad=(FAULT,),
    good=(CORRECT,),
)
def STEM(code: Code) -> Iterator[Hit]:
    """What the rule looks for, in one sentence."""
    for function in code.facts.in_focus:
        for step in function.flow.steps:
            if step.kind is StepKind.CALL and step.name == "call_rcu" and step.code.endswith("NULL);"):
                yield hit_at(
                    function,
                    step,
                    "callback",
                    "call_rcu() without a callback",
                    (step_evidence(Role.FREE, function, step),),
                    question="Who frees the object after the grace period?",
                    cure="Name the function that does.",
                )
'''
