"""Trailers belong to the commit message; nothing of the diff is one."""

from __future__ import annotations

from drawing import diff

from bot.mail import trailers
from bot.model import Trailer

MESSAGE = (
    "The list is walked by readers.\n"
    "\n"
    "Note: this is prose and no trailer.\n"
    "Reported-by: Rae Reader <rae@example.org>\n"
    "\n"
    'Fixes: 0123456789ab ("KVM: walk the list without\n'
    'the lock")\n'
    "Link: https://lore.example.org/r/1@x\n"
    "Cc: stable@vger.kernel.org # 6.1+\n"
    "Signed-off-by: Ann Author <ann@example.org>\n"
)


def values(text: str, name: str) -> list[str]:
    return [one.value for one in trailers.read(text) if one.name == name]


def test_the_usual_trailers_are_read_in_order() -> None:
    names = [one.name for one in trailers.read(MESSAGE)]
    assert names == ["Reported-by", "Fixes", "Link", "Cc", "Signed-off-by"]


def test_a_wrapped_fixes_is_one_trailer() -> None:
    assert values(MESSAGE, "Fixes") == ['0123456789ab ("KVM: walk the list without the lock")']


def test_an_indented_line_goes_on_with_the_trailer() -> None:
    assert values("x\n\nLink: https://lore.example.org\n  [the report]\n", "Link") == [
        "https://lore.example.org [the report]"
    ]


def test_nothing_of_the_diff_is_a_trailer() -> None:
    text = MESSAGE + "---\nTested-by: nobody, below the line\n\n" + diff("Fixes: x")
    assert [one.name for one in trailers.read(text)] == [one.name for one in trailers.read(MESSAGE)]


def test_the_base_is_found_below_the_diff() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    text = f"{MESSAGE}---\n{diff()}\nbase-commit: {sha}\nprerequisite-patch-id: {sha[::-1]}\nchange-id: 2024-x-1\n-- \n"
    assert values(text, "base-commit") == [sha]
    assert values(text, "prerequisite-patch-id") == [sha[::-1]]
    assert Trailer("change-id", "2024-x-1") in trailers.read(text)


def test_a_quoted_base_is_somebody_elses() -> None:
    assert trailers.read("> base-commit: 0123456789abcdef0123456789abcdef01234567\n") == ()


def test_prose_with_a_colon_is_no_trailer() -> None:
    assert trailers.read("KVM: x86: fix it\n\nTwo things: first and second.\n\nthe end\n") == ()


def test_thousands_of_trailers_are_bounded() -> None:
    many = "".join(f"Tested-by: Tess {number} <t@example.org>\n" for number in range(5000))
    assert len(trailers.read("x\n\n" + many)) == 500


def test_bytes_that_are_no_text_are_made_printable() -> None:
    (one,) = trailers.read("Signed-off-by: Jos\udce9 <j@example.org>\n")
    assert one.value.isprintable()
    assert one.value.encode("utf-8")
