"""A review: what is blamed on which patch, what is quiet and why, and what a tree is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.code.margin import drawn
from bot.mail import diff
from bot.model import (
    Address,
    Answer,
    Base,
    Context,
    FileChange,
    FileDiff,
    Level,
    Message,
    Patch,
    Review,
    Series,
    SeriesState,
    Subject,
    SubjectKind,
)
from bot.review import at_least, reverse, review, wants

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITER = Address("Ada Writer", "ada@example.org")

TYPES = """\
struct port { struct list_head node; };
struct bridge { spinlock_t lock; struct list_head ports; };
"""
PLAIN = """\
#include "bridge.h"

static void port_add(struct bridge *br, struct port *p)
{
	list_add(&p->node, &br->ports);
}

static void port_remove(struct bridge *br, struct port *p)
{
	list_del(&p->node);
	kfree(p);
}
"""
HALF = PLAIN.replace("list_add(", "list_add_rcu(")
FULL = HALF.replace("list_del(&p->node);\n", "list_del_rcu(&p->node);\n\tsynchronize_rcu();\n")


def whole(before: str, after: str, path: str = "bridge.c") -> tuple[FileDiff, ...]:
    """The diff that takes one text to the other, as a single hunk."""
    return drawn(
        f"=== {path}\n"
        + "".join(f"-{line}\n" for line in before.splitlines())
        + "".join(f"+{line}\n" for line in after.splitlines())
    ).patches[0]


def small(before: str, old: str, new: str, path: str = "bridge.c") -> tuple[FileDiff, ...]:
    """The diff that replaces one line of a text."""
    return drawn(
        f"=== {path}\n"
        + "".join(
            f"-{line}\n+{line.replace(old, new)}\n" if old in line else f" {line}\n" for line in before.splitlines()
        )
    ).patches[0]


def series(*patches: tuple[FileDiff, ...]) -> Series:
    made = [
        Patch(
            Message(
                f"{number}@example.org",
                Subject("", SubjectKind.PATCH, "bridge", index=number, total=len(patches)),
                WRITER,
                NOON,
                (),
                (),
                "",
            ),
            files,
        )
        for number, files in enumerate(patches, start=1)
    ]
    return Series("key", "thread", 1, "bridge", WRITER, len(made), SeriesState.SETTLED, NOON, patches=tuple(made))


TREE = {"bridge.c": PLAIN, "bridge.h": TYPES}
CONVERT = small(PLAIN, "list_add(", "list_add_rcu(")


def reviewed(*patches: tuple[FileDiff, ...], tree: dict[str, str] | None = None) -> Review:
    return review(series(*patches), Base("tree", TREE if tree is None else tree))


def test_code_that_no_hunk_touches_is_reported() -> None:
    found = reviewed(CONVERT)
    assert [(f.rule, f.function, f.line, f.touched) for f in found.findings] == [
        ("plain-del-on-rculist", "port_remove", 10, False)
    ]
    assert found.findings[0].context is Context.TREE


def test_a_fault_that_a_later_patch_mends_is_quiet() -> None:
    found = reviewed(CONVERT, whole(HALF, FULL))
    assert found.findings == ()
    assert [quiet.reason for quiet in found.quiet if quiet.rule == "plain-del-on-rculist"] == [
        "port_remove() bridge.c: fixed in 2/2"
    ]


def test_the_patch_that_brought_a_fault_is_named() -> None:
    remark = whole(PLAIN, "/* A bridge. */\n" + PLAIN)
    found = reviewed(remark, small("/* A bridge. */\n" + PLAIN, "list_add(", "list_add_rcu("))
    assert [f.introduced_by for f in found.findings] == ["2@example.org"]
    publish = [e for e in found.findings[0].evidence if e.role == "publish"]
    assert [(e.line, e.origin) for e in publish] == [(6, "patch 2")]


def test_evidence_of_old_lines_names_the_base() -> None:
    removals = [e for e in reviewed(CONVERT).findings[0].evidence if e.role == "remove"]
    assert [(e.path, e.function, e.line, e.origin) for e in removals] == [("bridge.c", "port_remove", 10, "base")]


def test_an_old_fault_is_nobodys_finding() -> None:
    found = reviewed(small(HALF, "kfree(p);", "kvfree(p);"), tree={**TREE, "bridge.c": HALF})
    assert found.findings == ()


def test_a_fix_is_silent_and_its_reverse_is_not() -> None:
    mended = series(whole(HALF, FULL))
    assert review(mended, Base("tree", {**TREE, "bridge.c": HALF})).findings == ()
    undone = review(reverse(mended), Base("tree", {**TREE, "bridge.c": FULL}))
    assert "plain-del-on-rculist" in {f.rule for f in undone.findings}


def test_a_reader_in_a_file_of_the_tree_counts() -> None:
    walk = "static void poke(struct bridge *br)\n{\n\tstruct port *p;\n\n\tguard(rcu)();\n"
    walk += "\tlist_for_each_entry_rcu(p, &br->ports, node)\n\t\tpoke_one(p);\n}\n"
    found = review(series(whole("", walk, "walk.c")), Base("tree", TREE))
    assert {f.rule for f in found.findings} >= {"plain-add-on-rculist", "plain-del-on-rculist"}
    assert {e.path for f in found.findings for e in f.evidence if e.role == "reader"} == {"walk.c"}


def test_a_tree_is_asked_for_the_files_then_for_what_mentions_their_objects() -> None:
    base = Base("tree")
    first = wants(series(CONVERT), base)
    assert first.files == (("bridge.c", ""),)
    base = base.plus(first, Answer({"bridge.c": PLAIN}))
    second = wants(series(CONVERT), base)
    assert ("port", "node") in second.mentions
    assert ("bridge", "ports") in second.mentions
    while wanted := wants(series(CONVERT), base):
        base = base.plus(wanted, Answer({"bridge.h": TYPES}))
    assert set(base.texts) == {"bridge.c", "bridge.h"}


def test_a_series_of_new_files_alone_is_asked_about_near_them_and_not_everywhere() -> None:
    text = TYPES + HALF
    new = drawn("=== drivers/net/bridge.c\n" + "".join(f"+{line}\n" for line in text.splitlines())).patches[0]
    born = tuple(replace(file, old_path=None, change=FileChange.ADDED) for file in new)
    wanted = wants(series(born), Base("tree"))
    assert wanted.mentions
    assert wanted.near == ("drivers/net",)


def test_nothing_is_asked_without_a_tree() -> None:
    assert not wants(series(CONVERT), Base())


def test_a_series_without_rcu_is_looked_at_and_left() -> None:
    found = reviewed(whole(PLAIN, PLAIN + "int x;\n"))
    assert found.findings == ()
    assert found.functions == 2


def test_a_patch_without_c_gives_an_empty_review() -> None:
    files, _ = diff.read("--- a/notes.rst\n+++ b/notes.rst\n@@ -1 +1 @@\n-a\n+b\n")
    found = review(series(files), Base("tree", {}))
    assert (found.findings, found.functions) == ((), 0)


def test_only_warnings_of_enough_confidence_reach_a_channel() -> None:
    finding = reviewed(CONVERT).findings[0]
    note = replace(finding, level=Level.NOTE)
    assert at_least((finding, note), finding.confidence) == (finding,)
    assert at_least((finding,), finding.confidence + 0.01) == ()


def test_a_tree_that_the_patch_does_not_fit_on_does_not_hide_what_the_hunks_show() -> None:
    """The tree has readers of the list already, and the patched file in another state."""
    later = "static void poke(struct bridge *br)\n{\n\tstruct port *p;\n\n\tguard(rcu)();\n"
    later += "\tlist_for_each_entry_rcu(p, &br->ports, node)\n\t\tpoke_one(p);\n}\n"
    add = drawn("=== bridge.c\n" + "".join(f" {line}\n" for line in PLAIN.splitlines()[2:4])).before["bridge.c"]
    hunk = small(add + "\tlist_add(&p->node, &br->ports);\n}\n", "list_add(", "list_add_rcu(")
    found = review(series(hunk), Base("tree", {"bridge.c": "int other;\n", "bridge.h": TYPES, "walk.c": later}))
    assert [f.rule for f in found.findings] == ["half-converted-rculist"]
    assert found.context is Context.HUNK
    assert any("does not apply" in note for note in found.notes)


# The walk that finds the gadget is out of sight in the hunk, and the tree has moved on around it.
LEFT = """\
static int hub_dump(struct hub *hub)
{
	struct gadget *g;
	int done = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(g, &hub->gadgets, node) {
		if (!gadget_live(g))
			continue;
		done = gadget_show(g, done);
		if (done > hub->limit)
			break;
	}
	rcu_read_unlock();

	hub->dumped = done;
	return done;
}
"""
MOVED_ON = LEFT.replace("hub->dumped = done;", "WRITE_ONCE(hub->dumped, done);\n\thub_wake(hub, done);")


def test_another_state_of_the_file_tells_what_the_hunks_do_not_show() -> None:
    lines = LEFT.splitlines()
    shown = lines[:2] + lines[11:]  # as a hunk would begin, with the header from its own
    use = small("\n".join(shown) + "\n", "hub->dumped = done;", "hub->dumped = done + g->weight;", "hub.c")
    (hunk,) = use[0].hunks
    body = replace(
        hunk, lines=hunk.lines[2:], old_start=12, new_start=12, section="static int hub_dump(struct hub *hub)"
    )
    body = replace(body, old_count=hunk.old_count - 2, new_count=hunk.new_count - 2)
    patch = series((replace(use[0], hunks=(body,)),))
    assert not review(patch, Base()).findings
    found = review(patch, Base("tree", {"hub.c": MOVED_ON}))
    assert [(f.rule, f.function, f.context) for f in found.findings] == [
        ("pointer-used-after-unlock", "hub_dump", Context.NEAR)
    ]
    assert "taken from there" in found.notes[0]


DROP = """\
struct gadget { struct list_head node; struct rcu_head rcu; };
static void hub_drop(struct hub *hub, struct gadget *g)
{
	spin_lock(&hub->lock);
	list_del(&g->node);
	spin_unlock(&hub->lock);
	hub_note(hub, g->id);
	hub_wake(hub, true);
	hub_settle(hub);
	kfree(g);
	hub->dropped++;
	hub_wait(hub);
}

static void gadget_drop(struct gadget *g)
{
	list_del_rcu(&g->node);
	kfree_rcu(g, rcu);
}
"""


def test_a_line_of_another_state_is_no_fault_in_a_function_that_a_hunk_changes() -> None:
    """The author's tree may unlink by list_del_rcu() already: the two lines never stood together."""
    drop = small(DROP, "kfree(g);", "kfree_rcu(g, rcu);", "hub.c")
    (hunk,) = drop[0].hunks
    cut = replace(hunk, lines=hunk.lines[6:14], old_start=7, new_start=7, old_count=7, new_count=7)
    patch = series((replace(drop[0], hunks=(replace(cut, section="static void hub_drop(struct hub *hub)"),)),))
    fits = review(patch, Base("tree", {"hub.c": DROP}))
    assert [f.rule for f in fits.findings] == ["plain-del-before-deferred-free"]
    near = review(patch, Base("tree", {"hub.c": DROP.replace("hub_settle(hub);", "hub_calm(hub, 2);\n\tpoke(hub);")}))
    assert near.context is Context.NEAR
    assert not near.findings
