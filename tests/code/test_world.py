"""Worlds: whole files where the diff fits, fragments of functions elsewhere, and who brought which line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.code.fragment import GAP
from bot.code.patching import Line, MisfitError, applied, lines_of, unapplied
from bot.code.syntax import functions, parse
from bot.code.world import Worlds, wanted_files, worlds
from bot.mail import diff
from bot.model import Base, Context, FileDiff, Hunk

Differ = Callable[..., tuple[FileDiff, ...]]

HUB = """\
struct hub {
	struct list_head gadgets;
	int count;
};

static int hub_count(struct hub *hub)
{
	return hub->count;
}

/*
 * Puts a gadget
 * on the list.
 */
static void hub_add(struct hub *hub, struct gadget *g)
{
	int turns = 0;

	mutex_lock(&hub->lock);
	while (turns < 3) {
		if (g->ready) {
			prepare(g);
			turns++;
		}
		settle(g);
		list_add(&g->node, &hub->gadgets);
	}
	hub->count++;
	note_one(g);
	note_two(g);
	note_three(g);
	mutex_unlock(&hub->lock);
}
"""


@pytest.fixture
def differ(tmp_path: Path) -> Differ:
    """Makes file diffs with the real git: differ(before, after), each a text or None for no file."""

    def make(before: str | None, after: str | None, path: str = "hub.c") -> tuple[FileDiff, ...]:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if before is not None:
            file.write_text(before)
        subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
        file.unlink(missing_ok=True)
        if after is not None:
            file.write_text(after)
            subprocess.run(["git", "add", "-N", "."], cwd=tmp_path, check=True)
        shown = subprocess.run(["git", "diff", "--no-color"], cwd=tmp_path, check=True, capture_output=True, text=True)
        files, problems = diff.read(shown.stdout)
        assert problems == ()
        return files

    return make


def text_at(found: Worlds, number: int, path: str = "hub.c") -> str:
    world = found.before if number == 0 else found.after[number - 1]
    image = world.image(path)
    assert image is not None
    return image.text


def test_a_whole_file_is_drawn_before_and_after_each_patch(differ: Differ) -> None:
    second = HUB.replace("list_add(", "list_add_rcu(")
    third = second.replace("hub->count++;", "WRITE_ONCE(hub->count, hub->count + 1);")
    found = worlds([differ(HUB, second), differ(second, third)], Base("tree", {"hub.c": HUB}))
    assert [text_at(found, number) for number in range(3)] == [HUB, second, third]
    assert found.context is Context.TREE
    assert found.notes == ()


def test_a_new_line_knows_its_patch(differ: Differ) -> None:
    second = HUB.replace("\tsettle(g);\n", "\tsettle(g);\n\t\tpoke(g);\n")
    third = second.replace("\tnote_two(g);\n", "")
    third = third.replace("\tint count;\n", "\tint count;\n\tint other;\n")
    found = worlds([differ(HUB, second), differ(second, third)], Base("tree", {"hub.c": HUB}))
    lines = third.splitlines()
    assert found.origin("hub.c", lines.index("\t\tpoke(g);") + 1) == 1
    assert found.origin("hub.c", lines.index("\tint other;") + 1) == 2
    assert found.origin("hub.c", lines.index("\tnote_one(g);") + 1) == 0


def test_a_patch_fits_where_its_lines_have_moved_to(differ: Differ) -> None:
    change = differ(HUB, HUB.replace("list_add(", "list_add_rcu("))
    moved = "/* one\n * two\n */\n" * 40 + HUB
    found = worlds([change], Base("tree", {"hub.c": moved}))
    assert text_at(found, 1) == moved.replace("list_add(", "list_add_rcu(")


def test_a_patch_that_the_tree_has_already_is_taken_off_first(differ: Differ) -> None:
    newer = HUB.replace("list_add(", "list_add_rcu(")
    found = worlds([differ(HUB, newer)], Base("tree", {"hub.c": newer}))
    assert (text_at(found, 0), text_at(found, 1)) == (HUB, newer)
    assert "has this change already" in found.notes[0]


def test_fuzz_is_used_and_said(differ: Differ) -> None:
    change = differ(HUB, HUB.replace("list_add(", "list_add_rcu("))
    other = HUB.replace("\t\tif (g->ready) {", "\t\tif (g->up) {").replace("\tnote_one(g);", "\tnote_1(g);")
    other = other.replace("\t\t\tturns++;\n\t\t}\n", "\t\t\tturns += 2;\n\t\t}\n")
    found = worlds([change], Base("tree", {"hub.c": other}))
    assert text_at(found, 1) == other.replace("list_add(", "list_add_rcu(")
    assert "fuzz" in found.notes[0]


def test_a_patch_that_does_not_fit_is_seen_in_its_hunks(differ: Differ) -> None:
    found = worlds([differ(HUB, HUB.replace("list_add(", "list_add_rcu("))], Base("tree", {"hub.c": "int nothing;\n"}))
    assert found.context is Context.HUNK
    assert "patch 1 does not apply" in found.notes[0]
    assert "give the tree" in found.notes[0]
    assert "list_add_rcu(" in text_at(found, 1)


# Another state of the file: the lines that the hunk touches differ, and a function has come.
NEWER = HUB.replace("\t\tsettle(g);\n", "\t\tsettle_down(g, turns);\n\t\tif (g->late)\n\t\t\tcontinue;\n").replace(
    "static int hub_count", "static int hub_size(struct hub *hub)\n{\n\treturn hub->size;\n}\n\nstatic int hub_count"
)


def test_a_patch_for_another_state_of_a_file_is_seen_among_the_lines_of_that(differ: Differ) -> None:
    found = worlds([differ(HUB, HUB.replace("list_add(", "list_add_rcu("))], Base("tree", {"hub.c": NEWER}))
    assert text_at(found, 0) == NEWER.replace(
        NEWER[NEWER.index("\t\tsettle_d") : NEWER.index("\t\tlist_add(")], "\t\tsettle(g);\n"
    )
    assert text_at(found, 1) == text_at(found, 0).replace("list_add(", "list_add_rcu(")
    assert found.context is Context.NEAR
    assert found.restored.keys() == found.misfits == {"hub.c"}
    assert "taken from there" in found.notes[0]


def test_lines_among_those_of_another_state_have_the_numbers_of_the_patch(differ: Differ) -> None:
    changed = HUB.replace("list_add(", "list_add_rcu(")
    found = worlds([differ(HUB, changed)], Base("tree", {"hub.c": NEWER}))
    image = found.after[0].image("hub.c")
    assert image is not None
    row = image.text.splitlines().index("\t\tlist_add_rcu(&g->node, &hub->gadgets);") + 1
    number = changed.splitlines().index("\t\tlist_add_rcu(&g->node, &hub->gadgets);") + 1
    assert image.file_line(row) == number
    assert found.origin("hub.c", number) == 1
    assert [found.origin("hub.c", image.file_line(other)) for other in range(1, row)] == [0] * (row - 1)


def test_a_hunk_without_a_place_is_a_fragment_below_another_state(differ: Differ) -> None:
    more = HUB + "\nstatic void hub_stop(struct hub *hub)\n{\n\tquiet(hub, true);\n\tforget(hub);\n\twait(hub, 3);\n}\n"
    changed = more.replace("list_add(", "list_add_rcu(").replace("forget(hub);", "forget_rcu(hub);")
    found = worlds([differ(more, changed)], Base("tree", {"hub.c": NEWER}))
    above, below = text_at(found, 1).split("static void hub_stop")
    assert "list_add_rcu(" in above
    assert "forget_rcu(" in below
    assert found.context is Context.NEAR


def test_other_files_of_the_tree_are_in_every_world(differ: Differ) -> None:
    found = worlds([differ(HUB, HUB + "int x;\n")], Base("tree", {"hub.c": HUB, "walk.c": "int y;\n", "gone.c": None}))
    for world in (found.before, *found.after):
        assert [image.path for image in world.images] == ["hub.c", "walk.c"]


def test_a_new_file_is_whole_without_a_tree(differ: Differ) -> None:
    found = worlds([differ(None, HUB)], Base())
    assert found.before.images == ()
    assert text_at(found, 1) == HUB
    assert found.context is Context.FILE


def test_a_deleted_file_is_gone(differ: Differ) -> None:
    found = worlds([differ(HUB, None)], Base("tree", {"hub.c": HUB}))
    assert text_at(found, 0) == HUB
    assert found.after[0].images == ()


def test_a_renamed_file_is_one_file() -> None:
    text = (
        "diff --git a/old.c b/new.c\nsimilarity index 90%\nrename from old.c\nrename to new.c\n"
        "--- a/old.c\n+++ b/new.c\n@@ -1,2 +1,2 @@\n int a;\n-int b;\n+int c;\n"
    )
    files, _ = diff.read(text)
    assert wanted_files([files]).files == (("old.c", ""),)
    found = worlds([files], Base("tree", {"old.c": "int a;\nint b;\n"}))
    assert text_at(found, 0, "old.c") == "int a;\nint b;\n"
    assert text_at(found, 1, "new.c") == "int a;\nint c;\n"


def test_only_c_is_looked_at(differ: Differ) -> None:
    assert not wanted_files([differ("a\n", "b\n", "notes.rst")])
    assert worlds([differ("a\n", "b\n", "notes.rst")], Base()).after[0].images == ()


# -- fragments


def test_a_hunk_is_wrapped_in_the_function_that_its_header_names(differ: Differ) -> None:
    found = worlds([differ(HUB, HUB.replace("list_add(", "list_add_rcu("))], Base())
    source = parse(text_at(found, 1))
    assert not source.root.has_error, text_at(found, 1)
    assert ["hub_add" in source.text(node) for node in functions(source)] == [True]
    assert GAP in text_at(found, 1)


def test_lines_of_a_fragment_keep_their_numbers_in_the_file(differ: Differ) -> None:
    after = HUB.replace("list_add(", "list_add_rcu(").replace("\tint count;\n", "\tint count;\n\tint other;\n")
    found = worlds([differ(HUB, after)], Base())
    image = found.after[0].image("hub.c")
    assert image is not None
    place = next(n for n, line in enumerate(image.text.splitlines(), 1) if "list_add_rcu" in line)
    wanted = next(n for n, line in enumerate(after.splitlines(), 1) if "list_add_rcu" in line)
    assert image.file_line(place) == wanted
    assert found.origin("hub.c", wanted) == 1


def test_two_hunks_of_one_function_are_one_function_with_a_gap(differ: Differ) -> None:
    long = HUB.replace("\tnote_one(g);\n", "".join(f"\tnote_{n}(g);\n" for n in range(40)))
    after = long.replace("list_add(", "list_add_rcu(").replace("\tnote_three(g);\n", "\tnote_four(g);\n")
    text = text_at(worlds([differ(long, after)], Base()), 1)
    source = parse(text)
    assert not source.root.has_error, text
    assert len(list(functions(source))) == 1


def test_a_later_hunk_shows_what_was_there_from_the_start(differ: Differ) -> None:
    long = "".join(f"int early_{n};\n" for n in range(30)) + HUB
    second = long.replace("int early_3;\n", "int early_3;\nint more_1;\nint more_2;\n")
    third = second.replace("list_add(", "list_add_rcu(")
    found = worlds([differ(long, second), differ(second, third)], Base())
    assert "list_add(" in text_at(found, 0)
    assert "list_add(" in text_at(found, 1)
    assert "list_add_rcu(" in text_at(found, 2)
    image = found.before.image("hub.c")
    assert image is not None
    place = next(n for n, line in enumerate(image.text.splitlines(), 1) if "list_add(" in line)
    assert image.file_line(place) == next(n for n, line in enumerate(long.splitlines(), 1) if "list_add(" in line)


def test_a_hunk_that_starts_in_a_comment_stays_readable(differ: Differ) -> None:
    after = HUB.replace(" * on the list.\n", " * on the list, at its front.\n")
    text = text_at(worlds([differ(HUB, after)], Base()), 1)
    assert not parse(text).root.has_error, text


@pytest.mark.parametrize("first", [" \tone();", " \t * the end of a remark */"])
def test_a_hunk_that_ends_in_a_comment_does_not_swallow_what_follows(first: str) -> None:
    hunks = (
        Hunk(5, 3, 5, 4, "static void f(void)", (first, "+\ttwo();", " \t/*", " \t * A remark")),
        Hunk(25, 2, 26, 3, "static void g(void)", (" \tthree();", "+\tfour();", " \tfive();")),
    )
    text = text_at(worlds([(FileDiff("a.c", "a.c", hunks=hunks),)], Base()), 1, "a.c")
    assert not parse(text).root.has_error, text
    assert len(list(functions(parse(text)))) == 2


@pytest.mark.parametrize(
    "section",
    [
        "",
        "static int f(struct hub *hub,",
        "struct hub {",
        "static const struct ops hub_ops = {",
        "SYSCALL_DEFINE2(a, int",
        "}}}((",
    ],
)
def test_any_hunk_header_gives_some_text(section: str) -> None:
    hunk = Hunk(5, 2, 5, 3, section, (" \tone();", "+\ttwo();", " \t}"))
    found = worlds([(FileDiff("a.c", "a.c", hunks=(hunk,)),)], Base())
    assert "\ttwo();" in text_at(found, 1, "a.c")


LINES = st.lists(st.sampled_from(["a", "b", "{", "}", "", "x();", "/*", "*/", "out:", '"']), max_size=40)


@given(LINES, LINES)
def test_what_is_put_on_can_be_taken_off(old: list[str], new: list[str]) -> None:
    lines = tuple(f"-{line}" for line in old) + tuple(f"+{line}" for line in new)
    hunk = Hunk(min(len(old), 1), len(old), min(len(new), 1), len(new), "", lines)
    before = tuple(Line(line) for line in old)
    after = applied(before, [hunk], 1)
    assert [line.text for line in after] == new
    assert [line.text for line in unapplied(after, [hunk])] == old


@given(LINES, st.sampled_from(["", "static void f(int a)", "struct x {", "int y ="]))
def test_no_lines_break_a_fragment(lines: list[str], section: str) -> None:
    hunk = Hunk(10, len(lines), 10, len(lines) + 1, section, (*(f" {line}" for line in lines), "+new();"))
    found = worlds([(FileDiff("a.c", "a.c", hunks=(hunk,)),)], Base())
    shown = text_at(found, 1, "a.c").splitlines()
    assert [line for line in lines if line not in shown] == []


def test_a_hunk_with_no_place_is_an_error_that_names_it() -> None:
    with pytest.raises(MisfitError, match="line 7"):
        applied(lines_of("a\nb\n"), [Hunk(7, 1, 7, 1, "", ("-nowhere", "+here"))], 1)


def fragment(section: str, *lines: str) -> str:
    """What a hunk of one added line among these becomes."""
    hunk = Hunk(10, len(lines), 10, len(lines) + 1, section, (*(f" {line}" for line in lines), "+\tadded();"))
    return text_at(worlds([(FileDiff("a.c", "a.c", hunks=(hunk,)),)], Base()), 1, "a.c")


def test_a_hunk_that_starts_in_an_initialiser_stays_readable() -> None:
    text = fragment("int walk(struct table *t)", "\t\t.walker = walker,", "\t};", "", "\tbegin();")
    source = parse(text)
    assert not source.root.has_error, text
    assert len(list(functions(source))) == 1


def test_a_hunk_that_ends_in_a_header_does_not_swallow_what_follows() -> None:
    first = Hunk(1, 2, 1, 3, "", ("+int more;", " ", " static void clear(struct table *t)"))
    second = Hunk(50, 1, 51, 2, "int walk(struct table *t)", (" \tbegin();", "+\tadded();"))
    text = text_at(worlds([(FileDiff("a.c", "a.c", hunks=(first, second)),)], Base()), 1, "a.c")
    source = parse(text)
    assert not source.root.has_error, text
    assert len(list(functions(source))) == 2


def test_a_hunk_header_without_the_type_above_it_still_opens_a_function() -> None:
    text = fragment("hub_find(struct hub *hub, int id)", "\tstep();", "}")
    source = parse(text)
    assert [source.text(node).startswith("int hub_find(struct hub *hub, int id)") for node in functions(source)] == [
        True
    ]


def test_a_hunk_that_starts_at_the_brace_opens_the_function_of_its_header() -> None:
    text = fragment("void *hub_find(struct hub *hub, int id)", "{", "\tstep();", "}")
    source = parse(text)
    assert not source.root.has_error, text
    assert [source.text(node).startswith("void *hub_find(") for node in functions(source)] == [True]


def test_a_hunk_that_breaks_off_in_a_statement_stays_readable() -> None:
    for line in ("\tret = one(a) &&", "\tif (one(a,", "\tshow(a, b,", "\tif (one(a))"):
        first = Hunk(10, 2, 10, 3, "int walk(struct table *t)", ("+\tadded();", " \tstep();", f" {line}"))
        text = text_at(worlds([(FileDiff("a.c", "a.c", hunks=(first,)),)], Base()), 1, "a.c")
        assert not parse(text).root.has_error, text


def test_a_hunk_that_breaks_into_a_statement_stays_readable() -> None:
    for line in ("\t\tb, c);", "\t    two(b))", "\t    && two(b));", "\t    two(b)) {"):
        closing = ("\t\tstep();", "\t}") if line.endswith("{") else ("\tstep();",)
        text = fragment("int walk(struct table *t)", line, *closing)
        assert not parse(text).root.has_error, text
