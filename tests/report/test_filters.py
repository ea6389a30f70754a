"""Filters of subscriptions: what they admit, and what they are told when they make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.model import Address, FileDiff, Level, Patch, Series
from bot.report.bar import Bar
from bot.report.filters import FilterError, lowest, parse
from tests.report.making import series


def about(*paths: str, author: str = "ada@example.org", title: str = "KVM: walk devices") -> Series:
    one = series(title=title)
    message = replace(one.patches[0].message, lists=("kvm@vger.kernel.org",))
    patches = (Patch(message, tuple(FileDiff(path, path) for path in paths or ("virt/kvm/kvm_main.c",))),)
    return replace(one, patches=patches, author=Address("Ada Writer", author))


X86, ARM, BOTH = about("arch/x86/kvm/mmu.c"), about("arch/arm64/kvm/vgic.c"), about("arch/x86/kvm/x86.c", "virt/x.c")


@pytest.mark.parametrize(
    ("words", "admitted"),
    [
        ("", (X86, ARM, BOTH)),
        ("everything", (X86, ARM, BOTH)),
        ("list:kvm", (X86, ARM, BOTH)),
        ("list:kvm@vger.kernel.org", (X86, ARM, BOTH)),
        ("list:kvmarm", ()),
        ("arch:x86", (X86, BOTH)),
        ("arch:x86 arch:arm64", (X86, ARM, BOTH)),
        ("path:arch/x86/kvm", (X86, BOTH)),
        ("path:arch/*/kvm/vgic*", (ARM,)),
        ("path:virt/", (BOTH,)),
        ("arch:x86 not path:virt", (X86,)),
        ("not arch:x86", (ARM,)),
        ("-arch:x86", (ARM,)),
        ("!arch:x86 list:kvm", (ARM,)),
        ("not -arch:x86", (X86, BOTH)),
        ("devices", (X86, ARM, BOTH)),
        ("not devices", ()),
        ("subject:WALK author:ada", (X86, ARM, BOTH)),
        ("author:bo", ()),
        ("without author:ada@", ()),
        ("level:error", (X86, ARM, BOTH)),
    ],
)
def test_a_filter_admits(words: str, admitted: tuple[Series, ...]) -> None:
    assert tuple(one for one in (X86, ARM, BOTH) if parse(words).admits(one)) == admitted


def test_a_word_is_looked_for_in_every_patch_of_a_series() -> None:
    one = about()
    second = replace(one.patches[0].message, subject=replace(one.patches[0].message.subject, title="KVM: add xarray"))
    grown = replace(one, patches=(*one.patches, replace(one.patches[0], message=second)))
    assert not parse("xarray").admits(one)
    assert parse("xarray").admits(grown)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("lst:kvm", "There is no field 'lst'; there are list, path, author"),
        ("path:", "`path:` wants a value behind it"),
        ("list:kvm not", "`not` wants something behind it"),
        ("level:note", "`level:error` or `level:warning`"),
        ("not level:error", "`level:error` or `level:warning`"),
        (" ".join(f"w{n}" for n in range(21)), "20 terms at most"),
    ],
)
def test_what_is_no_filter_is_told_the_cure(words: str, cure: str) -> None:
    with pytest.raises(FilterError) as said:
        parse(words)
    assert cure in str(said.value)


@pytest.mark.parametrize("words", ["list:kvm not author:bot@", "subject:x arch:x86 level:error", "not path:a/* path:b"])
def test_a_filter_can_be_written_down_and_read_again(words: str) -> None:
    assert parse(str(parse(words))) == parse(words)
    assert str(parse(words)) == words


def test_hostile_words_take_no_time_and_do_no_harm() -> None:
    glob = "path:" + "*a" * 400
    assert not parse(glob).admits(about("a" * 5000 + "b"))
    assert not parse("author:<!channel>").admits(X86)


def test_a_level_raises_the_bar_and_of_two_the_lower_counts() -> None:
    usual = Bar(Level.WARNING, 0.6)
    error = parse("level:error").bar(usual)
    assert error == Bar(Level.ERROR, 0.6)
    assert parse("list:kvm").bar(usual) == usual
    assert lowest([error, usual]) == usual
    assert lowest([]) is None
