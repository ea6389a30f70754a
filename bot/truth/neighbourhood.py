"""Which files of a tree to audit together: KVM's generic code with one architecture at a time, as they are compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

KVM = (
    "virt/kvm/*",
    "virt/lib/*",
    "arch/*/kvm/*",
    "arch/*/include/asm/kvm*.h",
    "arch/*/include/uapi/asm/kvm*.h",
    "include/linux/kvm*.h",
    "include/kvm/*.h",
)
_ARCH = re.compile(r"arch/([^/]+)/")


def worlds_of(paths: Iterable[str], patterns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The C files that match a pattern (``*`` stands for any letters, / too), a group for each architecture.

    What belongs to none is in every group.  The largest group comes first, so that work in parallel ends together.
    """
    wanted = re.compile("|".join(translate(pattern) for pattern in patterns))
    chosen = sorted({path for path in paths if path.endswith((".c", ".h")) and wanted.match(path)})
    found: dict[str, list[str]] = {}
    for path in chosen:
        match = _ARCH.match(path)
        found.setdefault(match[1] if match else "", []).append(path)
    generic = found.pop("", [])
    groups = [tuple(generic + own) for own in found.values()] or [tuple(generic)]
    return tuple(sorted((group for group in groups if group), key=lambda group: (-len(group), group)))
