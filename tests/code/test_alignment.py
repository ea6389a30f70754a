"""Where lines of a diff stand in another state of their file."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.code.alignment import Run, openings, places, without

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
    found = places(base, [Run(function, [lines.splitlines()]) for function, lines in runs])
    return [None if place is None else "\n".join(base[place.start : place.stop]) for place in found]


def test_lines_stand_where_lines_like_them_are() -> None:
    older = "	mutex_lock(&hub->lock);\n	list_add(&g->node, &hub->gadgets);\n	hub->count++;"
    older += "\n	mutex_unlock(&hub->lock);"
    assert stood(("hub_add", older)) == ["\n".join(HUB[11:15])]


def test_what_stands_before_the_function_s_own_braces_goes_with_them() -> None:
    begins = "{\n	int other = flags;\n	int turns = 0;\n\n	mutex_lock(&hub->lock);"
    base = [*HUB[:10], "	struct lost *lost = hub->lost;", *HUB[10:]]
    assert stood(("hub_add", begins), base=base) == ["\n".join(base[8:13])]
    ends = "	list_add(&g->node, &hub->gadgets, flags);\n	hub->count += flags;\n	hub_tell(hub);\n}"
    base = [*HUB[:14], "	mutex_unlock(&hub->other);", "	forget(g, flags, turns);", *HUB[14:]]
    assert stood(("hub_add", ends), base=base) == ["\n".join(base[12:18])]


def test_the_function_that_a_hunk_begins_in_decides_between_equal_lines() -> None:
    ending = "	list_forget(g);\n	mutex_unlock(&hub->lock);\n}"
    assert stood(("hub_add", ending), ("hub_remove", ending)) == [
        "	mutex_unlock(&hub->lock);\n}",
        "	mutex_unlock(&hub->lock);\n}",
    ]
    first, second = places(HUB, [Run(name, [ending.splitlines()]) for name in ("hub_add", "hub_remove")])
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
    left = without(HUB, [shown], [], [])
    assert "	return hub->count;" not in left
    assert left[7:] == HUB[7:]
    assert len(left) == len(HUB)
    assert without(HUB, [shown], [], [range(4, 5)]) == HUB


def test_a_function_of_which_hunks_show_a_part_without_a_place_is_taken_out_too() -> None:
    assert without(HUB, [], ["hub_count"], [])[7:] == HUB[7:]
    assert "	return hub->count;" not in without(HUB, [], ["hub_count"], [])


def test_lines_stand_where_the_change_is_that_the_base_has_already() -> None:
    before = "	mutex_lock(&hub->lock);\n	list_add(&g->node, &hub->gadgets, flags);\n	mutex_unlock(&hub->lock);"
    after = "	mutex_lock(&hub->lock);\n	list_add(&g->node, &hub->gadgets, flags);\n	hub->count += flags;"
    base = [*HUB[:10], *before.splitlines(), "", *HUB[11:]]
    states = [before.splitlines(), [*after.splitlines(), "	mutex_unlock(&hub->lock);"]]
    (place,) = places(HUB, [Run("hub_add", states)])
    assert place == range(11, 15)
    assert places(base, [Run("hub_add", states)]) == [range(10, 13)]


def test_how_functions_begin_is_their_header_and_what_they_declare() -> None:
    base = """\
static int hub_find(struct hub *hub,
			int number)
{
	struct gadget *first = hub_first(hub), *g;
	char name[NAME_MAX];
	const struct hub_ops *ops = {
		.poke = hub_poke,
	};

	int late;
	return hub_do(hub, number);
}

static int hub_count(struct hub *hub)
{
	return hub->count;
}
""".splitlines()
    assert openings(base, {"hub_find", "hub_count", "none"}) == {
        "hub_find": (
            *base[:3],
            "	struct gadget *first;",
            "	char name[NAME_MAX];",
            "	const struct hub_ops *ops;",
        ),
        "hub_count": tuple(base[13:15]),
    }


LINES = st.lists(st.sampled_from([*HUB, "x", "", "}", "	a b c;", "f(", "{"]), max_size=30)


@given(LINES, st.lists(st.tuples(st.sampled_from(["", "hub_add", "hub_count"]), LINES), max_size=5))
def test_places_lie_in_the_file_and_in_order(base: list[str], runs: list[tuple[str, list[str]]]) -> None:
    asked = [Run(function, [lines, lines[::-1]]) for function, lines in runs]
    found = [place for place in places(base, asked) if place is not None]
    assert all(0 <= place.start < place.stop <= len(base) for place in found)
    assert all(one.stop <= other.start for one, other in pairwise(found))


def test_a_huge_hunk_is_given_up() -> None:
    lines = [f"	call({number}, {number});" for number in range(5_000)]
    assert places(["int f(void)", "{", *lines, "}"], [Run("f", [lines])]) == [None]
