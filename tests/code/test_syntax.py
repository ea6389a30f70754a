"""The tree speaks of the file: names of loop macros and of functions that macros define can be asked of it."""

from __future__ import annotations

from bot.code.syntax import Node, function_name, functions, macro_name, parse


def nodes(node: Node, kind: str) -> list[Node]:
    found = [node] if node.type == kind else []
    return found + [hit for child in node.children for hit in nodes(child, kind)]


def test_a_loop_macro_is_a_loop_that_remembers_its_name() -> None:
    source = parse(
        "void f(struct kvm *kvm)\n{\n\tlist_for_each_entry_rcu(dev, &kvm->devices, vm_node)\n\t\tuse(dev);\n"
        "\twhile (more())\n\t\tstep();\n}\n"
    )
    macro, real = nodes(source.root, "while_statement")
    assert macro_name(source, macro) == "list_for_each_entry_rcu"
    assert macro_name(source, real) == ""
    condition = macro.child_by_field_name("condition")
    assert condition is not None
    assert source.text(condition) == "(dev, &kvm->devices, vm_node)"
    body = macro.child_by_field_name("body")
    assert body is not None
    assert source.text(body) == "use(dev);"


def test_a_scoped_guard_holds_its_statement() -> None:
    source = parse("void f(void)\n{\n\tscoped_guard(srcu, &kvm->srcu)\n\t\twalk();\n\tguard(rcu)();\n}\n")
    (guard,) = nodes(source.root, "while_statement")
    assert macro_name(source, guard) == "scoped_guard"
    assert not source.root.has_error
    assert "guard(rcu)()" in [source.text(node) for node in nodes(source.root, "call_expression")]


def test_a_guard_that_may_leave_still_parses() -> None:
    source = parse(
        "int f(void)\n{\n\tscoped_cond_guard(mutex_intr, return -EINTR, &x->lock) {\n\t\tgo();\n\t}\n\treturn 0;\n}\n"
    )
    assert not source.root.has_error
    assert macro_name(source, nodes(source.root, "while_statement")[0]) == "scoped_cond_guard"


def test_functions_are_named_also_when_a_macro_defines_them() -> None:
    source = parse(
        "static struct kvm *find(int a)\n{\n}\n"
        "SYSCALL_DEFINE2(dup2, unsigned int, old, struct foo __user *, new)\n{\n}\n"
        "SYSCALL_DEFINE0(fork)\n{\n}\n"
        "static int __must_check *(*table(void))(int)\n{\n}\n"
        "DEFINE_IDTENTRY(exc_divide_error)\n{\n}\n"
    )
    assert [function_name(source, node) for node in functions(source)] == [
        "find",
        "dup2",
        "fork",
        "table",
        "exc_divide_error",
    ]
    assert not source.root.has_error


def test_functions_inside_conditionals_at_file_scope_are_all_found() -> None:
    source = parse("#ifdef A\nint f(void)\n{\n}\n#else\nint g(void)\n{\n}\n#endif\nint h(void)\n{\n}\n")
    assert [function_name(source, node) for node in functions(source)] == ["f", "g", "h"]


def test_bytes_that_are_no_utf8_keep_their_places() -> None:
    source = parse(b"int f(void) { /* \xe9 */ return 1; }\n".decode("utf-8", "surrogateescape"))
    assert source.original == source.prepared
    assert not source.root.has_error
