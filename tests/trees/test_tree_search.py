"""Which C text defines a function, and which words a file is found by."""

from __future__ import annotations

import pytest

from bot.trees.words import definition, words_of


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
    assert definition(b"f") in words_of(text.encode())


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
    assert definition(b"f") not in words_of(text.encode())


def test_words_are_the_names_between_everything_else() -> None:
    assert words_of(b'if (a->b_c[12] != "d e")\n\treturn\0x;') == {b"if", b"a", b"b_c", b"d", b"e", b"return", b"x"}
