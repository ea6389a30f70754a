"""Which C text defines a function, and which words a file is remembered by."""

from __future__ import annotations

import pytest

from bot.trees.search import defines
from bot.trees.words import Words


@pytest.mark.parametrize(
    "text",
    [
        "void f(void)\n{\n}\n",
        "static inline struct a *f(int a,\n\t\t\t     int b)\n{ return 0; }\n",
        "int __init f(void) __acquires(x)\n{\n}\n",
        "void\nf(void)\n{\n}\n",
        "int f(void);\n\nint f(void)\n{\n}\n",
        "int g(void)\n{\n\treturn f();\n}\n\nint f (void)\n{\n}\n",
    ],
)
def test_a_definition_has_a_body(text: str) -> None:
    assert defines(text.encode(), b"f")


@pytest.mark.parametrize(
    "text",
    [
        "int f(void);\n",
        "extern int f(void);\nint g(void)\n{\n}\n",
        "int g(void)\n{\n\tf();\n\tif (f()) {\n\t}\n}\n",
        "#define f(x) { x }\n",
        " * f() { does nothing }\n",
        "int xf(void)\n{\n}\nint fx(void)\n{\n}\n",
        "static const struct ops o = { .a = f };\n",
        "int (*f)(void) = { 0 };\n",
        "int f;\n",
        "f",
        "f(",
    ],
)
def test_a_use_or_a_prototype_is_no_definition(text: str) -> None:
    assert not defines(text.encode(), b"f")


def test_words_are_names_and_numbers_between_everything_else() -> None:
    words = Words().learn("k", b'if (a->b_c[12] != "d e")\n\treturn\0x;')
    assert set(words.split()) == {b"if", b"a", b"b_c", b"12", b"d", b"e", b"return", b"x"}


def test_files_that_were_not_asked_of_for_longest_go_first() -> None:
    words = Words(budget=100)
    for key in ("a", "b", "c"):
        words.learn(key, b"x" * 30)
    assert words.of("a")
    words.learn("d", b"x" * 30)
    assert words.of("b") is None
    assert all(words.of(key) for key in ("a", "c", "d"))


def test_a_file_that_is_learnt_anew_takes_its_room_once() -> None:
    words = Words(budget=100)
    for _ in range(50):
        words.learn("a", b"x" * 60)
    assert words.of("a")
