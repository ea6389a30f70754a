"""How often each rule was right and wrong in known changes, by context; made by `make calibration`."""

from __future__ import annotations

SEEN: dict[tuple[str, str], tuple[int, int]] = {
    ("barrier-after-free", "hunk"): (1, 0),
    ("del-init-on-rculist", "tree"): (2, 0),
    ("free-no-longer-waits", "hunk"): (20, 0),
    ("free-no-longer-waits", "tree"): (9, 0),
    ("grace-period-removed", "hunk"): (1, 0),
    ("grace-period-removed", "tree"): (2, 0),
    ("half-converted-rculist", "hunk"): (1, 0),
    ("plain-add-on-rculist", "tree"): (1, 0),
    ("plain-del-on-rculist", "tree"): (2, 0),
    ("pointer-used-after-unlock", "file"): (1, 0),
    ("pointer-used-after-unlock", "hunk"): (1, 0),
    ("rcu-primitive-dropped", "hunk"): (14, 0),
    ("rcu-primitive-dropped", "tree"): (13, 0),
    ("read-lock-removed", "hunk"): (24, 0),
    ("read-lock-removed", "tree"): (14, 0),
    ("unbalanced-read-lock", "hunk"): (1, 0),
    ("wait-taken-out", "hunk"): (9, 0),
}
