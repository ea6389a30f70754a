"""Where lines of a diff stand in another state of their file."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.code.alignment import places, without

HUB = """\
static int hub_count(struct hub *hub);

static int hub_count(struct hub *hub)
{
	return hub->count;
}

static void hub_add(struct hub *hub, struct gadget *g, int flags)
{
	int turns = 0;

	mutex_lock(&hub->lock);
	list_add(&g->node, &hub->gadgets, flags);
	hub->count += flags;
	mutex_unlock(&hub->lock);
}

static void hub_remove(struct hub *hub, struct gadget *g)
{
	mutex_lock(&hub->lock);
	list_del(&g->node);
	mutex_unlock(&hub->lock);
}
""".splitlines()


def stood(*runs: tuple[str, str], base: list[str] = HUB) -> list[str | None]:
    """What stands in the base at the place of each run."""
    found = places(base, [(function, lines.splitlines()) for function, lines in runs])
    return [None if place is None else "\n".join(base[place.start : place.stop]) for place in found]


def test_lines_stand_where_lines_like_them_are() -> None:
    older = "	mutex_lock(&hub->lock);\n	list_add(&g->node, &hub->gadgets);\n	hub->count++;"
    older += "\n	mutex_unlock(&hub->lock);"
    assert stood(("hub_add", older)) == ["\n".join(HUB[11:15])]


def test_the_function_that_a_hunk_begins_in_decides_between_equal_lines() -> None:
    ending = "	list_forget(g);\n	mutex_unlock(&hub->lock);\n}"
    assert stood(("hub_add", ending), ("hub_remove", ending)) == [
        "	mutex_unlock(&hub->lock);\n}",
        "	mutex_unlock(&hub->lock);\n}",
    ]
    first, second = places(HUB, [("hub_add", ending.splitlines()), ("hub_remove", ending.splitlines())])
    assert first == range(14, 16)
    assert second == range(21, 23)


def test_lines_that_are_like_no_others_have_no_place() -> None:
    assert stood(("hub_add", "	schedule_work(&hub->work);\n	return hub_wait(hub);\n	hub_wake(hub, g);")) == [
        None
    ]
    assert stood(("hub_scan", "	mutex_lock(&hub->lock);\n	list_del(&g->node);")) == [None]


def test_hunks_of_one_function_have_places_together_or_not_at_all() -> None:
    known = "	int turns = 0;\n\n	mutex_lock(&hub->lock);"
    strange = "	schedule_work(&hub->work);\n	return hub_wait(hub);\n	hub_wake(hub, g);"
    assert stood(("hub_add", known), ("hub_add", strange)) == [None, None]


def test_lines_that_end_in_a_function_without_a_place_take_its_other_lines_with_them() -> None:
    strange = (
        "	schedule_work(&hub->work);\n	return hub_wait(hub);\n}\n\nstatic void hub_remove(struct hub *hub)\n{"
    )
    known = "	mutex_lock(&hub->lock);\n	list_del(&g->node);"
    assert stood(("hub_scan", strange), ("hub_remove", known)) == [None, None]
    assert stood(("hub_remove", known)) == [known]


def test_a_function_that_hunks_bring_is_taken_out_of_the_other_state() -> None:
    shown = ["static int hub_count(struct hub *hub)", "{", "	return 0;", "}"]
    left = without(HUB, [shown], [])
    assert "	return hub->count;" not in left
    assert left[7:] == HUB[7:]
    assert len(left) == len(HUB)
    assert without(HUB, [shown], [range(4, 5)]) == HUB


LINES = st.lists(st.sampled_from([*HUB, "x", "", "}", "	a b c;", "f(", "{"]), max_size=30)


@given(LINES, st.lists(st.tuples(st.sampled_from(["", "hub_add", "hub_count"]), LINES), max_size=5))
def test_places_lie_in_the_file_and_in_order(base: list[str], runs: list[tuple[str, list[str]]]) -> None:
    found = [place for place in places(base, runs) if place is not None]
    assert all(0 <= place.start < place.stop <= len(base) for place in found)
    assert all(one.stop <= other.start for one, other in pairwise(found))


def test_a_huge_hunk_is_given_up() -> None:
    lines = [f"	call({number}, {number});" for number in range(5_000)]
    assert places(["int f(void)", "{", *lines, "}"], [("f", lines)]) == [None]
