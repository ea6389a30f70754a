"""Objects gathered over a world and what becomes of them: waits and frees in callees, excuses, last references."""

from __future__ import annotations

from bot.code.facts import Fact, FactKind
from bot.code.lifetime import Lifetime
from bot.code.protection import Focus, WorldFacts
from bot.code.structs import Key
from bot.model import Image, World

TYPES = """\
struct dev { struct list_head node; struct rcu_head rcu; };
struct other { struct list_head node; };
struct hub { refcount_t users; struct kref ref; struct list_head devs, spare; struct dev __rcu *cur; };
"""
NODE, DEVS, SPARE = Key("dev", "node"), Key("hub", "devs"), Key("hub", "spare")


def world(*files: str) -> WorldFacts:
    return WorldFacts(World(tuple(Image(f"f{n}.c", TYPES + text) for n, text in enumerate(files))))


def only(code: WorldFacts, kind: FactKind, function: str = "") -> Fact:
    (fact,) = (f for f in code.all_facts if f.kind is kind and function in {"", f.function})
    return fact


def freed(body: str, rest: str = "") -> list[str]:
    """The frees that a removed ``dev`` meets before any wait."""
    code = world(f"{rest}\nvoid f(struct hub *hub, struct dev *dev)\n{{\n\tlist_del_rcu(&dev->node);\n{body}\n}}\n")
    fact = only(code, FactKind.UNLINK, "f")
    return [found.callee or found.code for found in Lifetime(code).freed(fact.where, fact.step, "dev")]


def test_facts_of_one_node_are_gathered_over_files_and_other_structs_stay_out() -> None:
    code = world(
        "void add(struct hub *h, struct dev *d) { list_add_rcu(&d->node, &h->devs); }\n",
        "void del(struct dev *d) { list_del(&d->node); }\nvoid no(struct other *o) { list_del(&o->node); }\n",
    )
    assert {fact.function for fact in code.lists[NODE].facts} == {"add", "del"}
    assert {fact.function for fact in code.lists[Key("other", "node")].facts} == {"no"}


def test_a_removal_is_of_the_head_that_its_function_walks() -> None:
    code = world(
        "void add(struct hub *h, struct dev *d) { list_add_rcu(&d->node, &h->devs); }\n"
        "void put(struct hub *h, struct dev *d) { list_add(&d->node, &h->spare); }\n"
        "void drop(struct hub *h)\n{\n\tstruct dev *d, *t;\n"
        "\tlist_for_each_entry_safe(d, t, &h->spare, node)\n\t\tlist_del(&d->node);\n}\n"
        "void any(struct dev *d) { list_del(&d->node); }\n"
    )
    protection = code.lists[NODE]
    assert protection.rcu_heads == {DEVS}
    assert protection.plain_heads == {SPARE}
    assert protection.published(only(code, FactKind.UNLINK, "drop")) is None
    assert protection.head_of(only(code, FactKind.UNLINK, "any")) is None


def test_the_only_head_there_is_is_the_head() -> None:
    code = world(
        "void add(struct hub *h, struct dev *d) { list_add_rcu(&d->node, &h->devs); }\n"
        "void any(struct dev *d) { list_del(&d->node); }\n"
    )
    assert code.lists[NODE].published(only(code, FactKind.UNLINK)) == DEVS


def test_pointers_are_those_declared_or_used_as_rcu() -> None:
    code = world("void f(struct hub *h, struct dev *d) { h->cur = d; h->users = 0; rcu_assign_pointer(d->x, h); }\n")
    assert set(code.pointers) == {Key("hub", "cur"), Key("dev", "x")}
    assert code.pointers[Key("hub", "cur")].declared


def test_focus_leaves_out_what_a_change_cannot_touch() -> None:
    image = Image("a.c", TYPES + "void f(struct dev *d) { list_del(&d->node); }\nvoid g(void) { rcu_read_lock(); }\n")
    code = WorldFacts(World((image,)), Focus(frozenset({"node"}), frozenset()))
    assert [function.name for function in code.in_focus] == ["f"]


def test_a_free_with_no_wait_on_its_path_is_found() -> None:
    assert freed("\tkfree(dev);") == ["kfree(dev);"]
    assert freed("\tif (hub->cur)\n\t\tsynchronize_rcu();\n\tkfree(dev);") == ["kfree(dev);"]
    assert freed("\tgoto out;\nout:\n\tkfree(dev);") == ["kfree(dev);"]


def test_a_wait_on_every_path_ends_the_search() -> None:
    assert freed("\tsynchronize_rcu();\n\tkfree(dev);") == []
    assert freed("\tif (x)\n\t\tsynchronize_rcu();\n\telse\n\t\tsynchronize_net();\n\tkfree(dev);") == []
    assert freed("\tkfree_rcu(dev, rcu);") == []
    assert freed("\tcall_rcu(&dev->rcu, cb);") == []


def test_a_new_value_or_a_null_ends_the_search() -> None:
    assert freed("\tdev = hub->cur;\n\tkfree(dev);") == []
    assert freed("\tif (!dev)\n\t\tkfree(dev);") == []


def test_waits_are_found_two_calls_deep_and_no_deeper() -> None:
    rest = (
        "static void w1(void) { synchronize_rcu(); }\nstatic void w2(void) { w1(); }\nstatic void w3(void) { w2(); }\n"
    )
    assert freed("\tw1();\n\tkfree(dev);", rest) == []
    assert freed("\tw2();\n\tkfree(dev);", rest) == []
    assert freed("\tw3();\n\tkfree(dev);", rest) == ["kfree(dev);"]


def test_what_was_asked_before_does_not_change_an_answer() -> None:
    code = world(
        "static void w1(void) { synchronize_rcu(); }\nstatic void w2(void) { w1(); }\nvoid w3(void) { w2(); }\n"
    )
    lifetime = Lifetime(code)
    functions = {function.name: function for function in code.functions}
    assert not lifetime.waits(functions["w3"], 2)
    assert not lifetime.waits(functions["w2"], 1)
    assert lifetime.waits(functions["w2"], 2)
    assert lifetime.waits(functions["w3"], 3)


def test_functions_that_call_each_other_end() -> None:
    rest = "static void p(struct dev *d) { q(d); }\nstatic void q(struct dev *d) { p(d); }\n"
    assert freed("\tp(dev);", rest) == []


def test_frees_are_found_in_callees_unless_they_wait_first() -> None:
    rest = (
        "static void gone(struct hub *h, struct dev *d) { kfree(d); }\n"
        "static void deeper(struct dev *d) { gone(0, d); }\n"
        "static void later(struct dev *d) { synchronize_rcu(); kfree(d); }\n"
    )
    assert freed("\tgone(hub, dev);", rest) == ["gone"]
    assert freed("\tdeeper(dev);", rest) == ["deeper"]
    assert freed("\tlater(dev);", rest) == []
    assert freed("\tgone(dev, hub->x);", rest) == []


def test_an_object_is_private_until_it_is_published() -> None:
    code = world(
        "int early(struct hub *hub)\n{\n\tstruct dev *dev = kzalloc(8, GFP_KERNEL);\n\tlist_del(&dev->node);\n}\n"
        "int late(struct hub *hub)\n{\n\tstruct dev *dev = kzalloc(8, GFP_KERNEL);\n"
        "\tlist_add_rcu(&dev->node, &hub->devs);\n\tlist_del(&dev->node);\n}\n"
        "int stored(struct hub *hub)\n{\n\tstruct dev *dev = kzalloc(8, GFP_KERNEL);\n"
        "\trcu_assign_pointer(hub->cur, dev);\n\tlist_del(&dev->node);\n}\n"
        "int given(struct dev *dev) { list_del(&dev->node); }\n"
    )
    lifetime = Lifetime(code)
    private = {f.function: lifetime.private(f.where, f) for f in code.all_facts if f.kind is FactKind.UNLINK}
    assert private == {"early": True, "late": False, "stored": False, "given": False}


def excuse(rest: str, name: str = "drop") -> str:
    code = world(
        f"static void {name}(struct hub *hub)\n{{\n\tstruct dev *d, *t;\n"
        f"\tlist_for_each_entry_safe(d, t, &hub->devs, node)\n\t\tlist_del(&d->node);\n}}\n{rest}"
    )
    fact = only(code, FactKind.UNLINK)
    return Lifetime(code).excuse(fact.where, fact)


def test_what_only_runs_after_the_last_reference_is_excused() -> None:
    assert "put()" in excuse("void put(struct hub *h) { if (refcount_dec_and_test(&h->users)) drop(h); }\n")
    assert "put()" in excuse(
        "void put(struct hub *h)\n{\n\tif (!refcount_dec_and_test(&h->users))\n\t\treturn;\n\tdrop(h);\n}\n"
    )
    assert "put()" in excuse(
        "void put(struct hub *h)\n{\n\tif (!h || !refcount_dec_and_test(&h->users))\n\t\treturn;\n\tdrop(h);\n}\n"
    )


def test_a_chain_of_callers_below_the_last_put_is_excused() -> None:
    assert "put()" in excuse(
        "static void end(struct hub *h) { drop(h); }\n"
        "void put(struct hub *h) { if (refcount_dec_and_test(&h->users)) end(h); }\n"
    )


def test_one_caller_without_a_last_put_takes_the_excuse_away() -> None:
    assert (
        excuse(
            "void put(struct hub *h) { if (refcount_dec_and_test(&h->users)) drop(h); }\n"
            "void reset(struct hub *h) { drop(h); }\n"
        )
        == ""
    )
    assert excuse("void put(struct hub *h) { if (!refcount_dec_and_test(&h->users)) drop(h); }\n") == ""


def test_a_kref_release_is_excused() -> None:
    assert "put()" in excuse("void put(struct hub *h) { kref_put(&h->ref, drop); }\n")


def test_a_destructor_whose_callers_are_not_in_sight_is_excused() -> None:
    assert "not in sight" in excuse("", name="hub_destroy")
    assert excuse("", name="hub_prune") == ""


def test_a_comment_that_states_the_intent_is_an_excuse_where_it_is_near() -> None:
    def stated(comment: str, between: str = "") -> str:
        code = world(f"void f(struct dev *d)\n{{\n\t/* {comment} */\n{between}\tlist_del(&d->node);\n}}\n")
        fact = only(code, FactKind.UNLINK)
        return Lifetime(code).stated(fact.where, fact)

    assert stated("list_del() is used intentionally here: nobody else can see it")
    assert not stated("remove the device")
    assert not stated("nobody else can see it", "\tx();\n" * 30)


def test_a_function_that_only_moved_keeps_its_facts_at_its_new_place() -> None:
    text = TYPES + "void f(struct dev *d)\n{\n\tlist_del(&d->node);\n}\n"
    text += "void g(struct dev *d)\n{\n\tlist_add(&d->node, &x);\n}\n"
    before = WorldFacts(World((Image("a.c", text),)))
    old = only(before, FactKind.UNLINK)
    moved = text.replace("void f", "/* new */\n\nvoid f").replace("list_add(", "list_add_rcu(")
    after = WorldFacts(World((Image("a.c", moved),)), None, before)
    new = only(after, FactKind.UNLINK)
    assert new.where in after.functions
    assert new.where.flow == old.where.flow
    assert (new.line, new.node, new.variable) == (old.line + 2, old.node, old.variable)
    assert only(after, FactKind.ADD).rcu


def test_facts_are_read_anew_when_a_struct_changed() -> None:
    text = TYPES + "void f(struct hub *h)\n{\n\tlist_del(&h->extra->node);\n}\n"
    before = WorldFacts(World((Image("a.c", text),)))
    assert not only(before, FactKind.UNLINK).node.known
    grown = text.replace("struct hub {", "struct hub { struct dev *extra;")
    after = WorldFacts(World((Image("a.c", grown),)), None, before)
    assert only(after, FactKind.UNLINK).node == NODE


def test_a_function_that_is_only_named_in_a_comment_is_not_called_there() -> None:
    code = world(
        """
        static void hub_destroy(struct hub *hub)
        {
            kfree(hub);
        }

        /* elsewhere */
        static void hub_note(struct hub *hub)
        {
            /* hub_destroy() must not run before this. */
            hub->noted = 1;
        }
        """
    )
    destroy = code.by_name["hub_destroy"][0]
    assert code.callers(destroy) == ()


def test_a_function_that_frees_the_owner_of_a_list_tears_it_down() -> None:
    code = world(
        """
        struct port { struct list_head node; };
        struct hub { struct list_head ports; };

        static void hub_publish(struct hub *hub, struct port *p)
        {
            list_add_rcu(&p->node, &hub->ports);
        }

        static void hub_css_free(struct css *css)
        {
            struct hub *hub = css_to_hub(css);
            struct port *p, *next;

            list_for_each_entry_safe(p, next, &hub->ports, node) {
                list_del(&p->node);
                kfree(p);
            }
            kfree(hub);
        }
        """
    )
    removal = only(code, FactKind.UNLINK)
    assert Lifetime(code).excuse(removal.where, removal).startswith("tears down the owner")


def test_nobody_reads_what_a_namespace_owned_when_its_exit_hook_runs() -> None:
    emptied = """
        static void hub_empty(struct net *net)
        {
            struct hub *hub = net_generic(net, hub_id);
            struct dev *dev, *next;

            list_for_each_entry_safe(dev, next, &hub->devs, node) {
                list_del(&dev->node);
                kfree(dev);
            }
        }

        static void hub_net_exit(struct net *net)
        {
            hub_empty(net);
        }

        static struct pernet_operations hub_net_ops = {
            .MEMBER = hub_net_exit,
        };
        """
    excused = []
    for member, more in (("exit", ""), ("pre_exit", ""), ("exit", "\nvoid other(struct net *n) { hub_empty(n); }\n")):
        code = world(emptied.replace("MEMBER", member) + more)
        removal = only(code, FactKind.UNLINK)
        excused.append(Lifetime(code).excuse(removal.where, removal))
    assert excused == ["runs when the namespace is gone, in hub_net_exit()", "", ""]
