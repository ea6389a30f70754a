"""Kernel C to plain C of the same length: what the grammar does not know is blanked or renamed, byte for byte.

Every newline stays where it is, so a node's byte range means the same in the original; who wants to know what really
stands there (``list_for_each_entry_rcu`` where the tree says ``while``) reads the original at that range.
Patterns use possessive quantifiers, so that no input can make them back up: time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.conditionals import keep_first_branches, uncover
from bot.code.masking import MaskedText

_ANNOTATIONS = """
    __user __rcu __iomem __percpu __force __kernel __private __nocast __safe __bitwise __kprobes __kptr __kptr_untrusted
    __read_mostly __ro_after_init __initdata __initconst __initdata_or_module __exitdata __meminitdata __refdata
    __refconst __nosavedata __init __exit __init_or_module __net_init __net_exit __net_initdata __init_memblock
    __initdata_memblock __meminit __ref __sched __lockfunc __cpuidle __always_inline __inline __inline__
    __inline_maybe_unused __must_check __weak __maybe_unused __always_unused __unused __used __cold __pure __noreturn
    __visible __malloc __attribute_const__ __latent_entropy __noclone __naked __packed __deprecated __no_kcsan
    __no_sanitize_address __no_sanitize_undefined __no_sanitize_thread __no_sanitize_memory __no_kmsan_checks
    __no_sanitize_or_inline __no_kasan_or_inline __no_kcsan_or_inline __no_caller_saved_registers
    __no_randomize_layout __no_stack_protector __no_profile __nocfi __noscs __noendbr __nostackprotector
    __randomize_layout __designated_init __cacheline_aligned __cacheline_aligned_in_smp ____cacheline_aligned
    ____cacheline_aligned_in_smp ____cacheline_internodealigned_in_smp __page_aligned_bss __page_aligned_data __head
    __flatten __overloadable __nonstring __bpf_kfunc __function_aligned __extension__ __signed_wrap __uninitialized
    __aligned_largest __ksym __arena __bss_decrypted __noipa __gnu_inline __seg_gs __seg_fs __preserve_most
    __fix_address __hyp_text __softirq_entry __irq_entry __exception_irq_entry __lock_aligned __no_sanitize_coverage
    __retain __tag noinline noinline_for_stack noinline_for_tracing notrace noinstr nokprobe_inline asmlinkage noclone
    INDIRECT_CALLABLE_SCOPE randomized_struct_fields_start randomized_struct_fields_end compat_asmlinkage
"""
_ANNOTATIONS_WITH_ARGUMENTS = """
    __printf __scanf __acquires __releases __must_hold __cond_acquires __cond_releases __acquires_shared
    __releases_shared __must_hold_shared __counted_by __counted_by_le __counted_by_be __sized_by __aligned __section
    __alias __attribute__ __attribute __free __cleanup __alloc_size __realloc_size __assume_aligned __no_sanitize
    __guarded_by __pt_guarded_by __diag_push __diag_pop __diag_ignore __diag_ignore_all __copy __mode
    __cacheline_group_begin __cacheline_group_end __cacheline_group_begin_aligned __cacheline_group_end_aligned
    __bpf_kfunc_start_defs __bpf_kfunc_end_defs __bpf_hook_start __bpf_hook_end __compiletime_error
    __compiletime_warning __bootdata __bootdata_preserved __nonnull __malloc_like CACHELINE_PADDING
"""


def _any_of(table: str) -> bytes:
    return "|".join(sorted(table.split(), key=len, reverse=True)).encode()


_ANNOTATION = re.compile(
    rb"\b(?:(?P<plain>" + _any_of(_ANNOTATIONS) + rb")\b(?!\s*+\()"
    rb"|(?:" + _any_of(_ANNOTATIONS_WITH_ARGUMENTS) + rb")\s*+(?P<call>\())"
)
_ASM = re.compile(
    rb"\b(?:asm|__asm__|__asm|asm_inline)\b(?:\s++(?:volatile|__volatile__|__volatile|goto|inline)\b)*+\s*+\("
)
_FILE_MACRO = re.compile(rb"^(?:static[ \t]++)?+([A-Z_]\w*+)[ \t]*+\(", re.MULTILINE)
_STATEMENT_MACRO = re.compile(rb"(?:__)?(?:EXPORT|MODULE|DEFINE|DECLARE|TRACE|BTF|ALLOW_ERROR|LSM|STATIC)_|SYSCALL")
_WORD = rb"(?:const|volatile|unsigned|signed|long|short|int|char|bool|float|double)"
_TYPE_ARGUMENT = re.compile(
    rb"(?<=[(,])\s*+(?:(?P<tagged>(?:const\s++)?+(?:struct|union|enum)\s++\w++)"
    rb"|(?P<words>" + _WORD + rb"\b(?:[ \t]++" + _WORD + rb"\b)*+)"
    rb"|(?P<named>(?:const[ \t]++)?+\w++(?=\s*+\*)))(?P<stars>[\s*]*+)(?=[,)])"
)
_RANGE = re.compile(rb"\.\.\.(?!\s*+[),])")
_LOOP = re.compile(rb"\b(?:\w*?for_?each\w*+|scoped_(?:cond_)?guard)\s*+\(")
_BLOCK = re.compile(rb"\)\s*+\{")
_LAST_WORD = re.compile(rb"\b\w++(?=\s*+\Z)")
_JUMP = re.compile(rb"\b(?:return|goto|break|continue)\b")
_MEMBERS = re.compile(rb"\b(DECLARE_(?:BITMAP|HASHTABLE|KFIFO|KFIFO_PTR|FLEX_ARRAY)|(?:__)?struct_group\w*+)\s*+\(")
_KEYWORDS = frozenset(
    b"if while for switch else do return case sizeof typeof __typeof__ __alignof__ offsetof defined goto".split()
)
_MAX_ARGUMENTS = 2000
# How many arguments stand before the members of a group.
_GROUP_ARGUMENTS = {b"struct_group": 1, b"struct_group_attr": 2, b"struct_group_tagged": 2, b"__struct_group": 3}


def pieces(original: bytes) -> Iterator[MaskedText]:
    """The text in pieces that read as C each by itself; what hangs together over a file's length is settled first."""
    text = MaskedText.of(original)
    keep_first_branches(text)
    cuts = list(text.cuts())
    uncover(text, cuts)
    return text.pieces(cuts)


def prepare(original: bytes) -> bytes:
    """The text as tree-sitter-c can read it: same length, same newlines, comments and strings as they were."""
    return b"".join(prepared(piece) for piece in pieces(original))


def prepared(text: MaskedText) -> bytes:
    """A piece as tree-sitter-c can read it.  It is edited, so that this can be asked for once."""
    text.pair_parentheses()
    _blank_annotations(text)
    _replace_assembler(text)
    _settle_file_macros(text)
    _settle_members(text)
    _settle_type_arguments(text)
    for found in _RANGE.finditer(text.work):
        text.write(found.start(), b" | ")
    _turn_blocks_into_loops(text)
    return text.finish()


def _word_before(text: MaskedText, place: int) -> bytes:
    found = _LAST_WORD.search(bytes(text.work[max(0, place - 80) : place]))
    return found[0] if found else b""


def _starts_statement(text: MaskedText, place: int) -> bool:
    last = text.last_visible(place)
    return last < 0 or text.work[last] in b";{}):" or _word_before(text, last + 1) in {b"else", b"do"}


def _blank_annotations(text: MaskedText) -> None:
    for found in _ANNOTATION.finditer(text.work):
        start, end = found.span()
        if found["call"]:
            close = text.closing(end - 1)
            if close is None:
                continue
            end = close + 1
        text.blank(start, end)


def _replace_assembler(text: MaskedText) -> None:
    """``asm(...)`` becomes ``0``; at file scope and behind a declarator it becomes nothing."""
    for found in _ASM.finditer(text.work):
        start, close = found.start(), text.closing(found.end() - 1)
        if close is None:
            continue
        at_file_scope = start == 0 or text.work[start - 1] == 10
        statement = _starts_statement(text, start) and not at_file_scope
        text.blank(start, close + 1)
        if statement:
            text.write(start, b"0")


def _settle_file_macros(text: MaskedText) -> None:
    """Macros in column 0: definers of functions get a type, variables per CPU a declaration, the rest is blanked."""
    for found in _FILE_MACRO.finditer(text.work):
        opening = found.end() - 1
        close = text.closing(opening)
        if close is None:
            continue
        name, after = found[1], text.next_visible(close + 1)
        following = text.at(after)
        if following == b"{":
            _type_a_definer(text, found.start(1), opening)
        elif b"PER_CPU" in name and following in {b";", b"=", b"["}:
            _uncover_declaration(text, found.start(1), opening, close)
        elif following != b";":
            if following not in {b"=", b"["}:
                text.blank(found.start(), close + 1)
        elif _STATEMENT_MACRO.match(name):
            text.blank(found.start(), after + 1)


def _type_a_definer(text: MaskedText, start: int, opening: int) -> None:
    """``SYSCALL_DEFINE2(read, int, fd, long, n) {`` to ``int read(int fd, long n) {``, others to ``int f(name) {``."""
    commas = list(text.commas(opening))
    if opening - start < 5:
        return
    text.blank(start, opening)
    text.write(start, b"int")
    text.write(opening - 1, b"f")
    if len(commas) >= 2 and len(commas) % 2 == 0:
        text.blank(opening - 1, opening + 1)
        text.write(commas[0], b"(")
        for comma in commas[1::2]:
            text.write(comma, b" ")


def _uncover_declaration(text: MaskedText, start: int, opening: int, close: int) -> None:
    """``DEFINE_PER_CPU(struct x, name)`` to ``struct x  name``."""
    comma = next(text.commas(opening), None)
    if comma is not None:
        text.blank(start, opening + 1)
        text.write(comma, b" ")
        text.write(close, b" ")


def _settle_members(text: MaskedText) -> None:
    """Macros that declare members of a struct, so that the members are seen."""
    for found in _MEMBERS.finditer(text.work):
        start, opening, name = found.start(), found.end() - 1, found[1]
        close, commas = text.closing(opening), list(text.commas(opening))
        if close is None or not commas:
            continue
        if name in _GROUP_ARGUMENTS:
            before = commas[: _GROUP_ARGUMENTS[name]]
            text.blank(start, before[-1] + 1)
            after = text.next_visible(close + 1)
            text.blank(close, after + 1 if text.at(after) == b";" else close + 1)
        elif name == b"DECLARE_FLEX_ARRAY":
            _uncover_declaration(text, start, opening, close)
        else:
            text.blank(start, opening + 1)
            text.write(start, b"int")
            text.blank(commas[0], close + 1)


def _settle_type_arguments(text: MaskedText) -> None:
    """A type as a macro's argument becomes one word: ``unsigned int`` to ``unsigned_int``, ``struct x *`` to ``x``."""
    for found in _TYPE_ARGUMENT.finditer(text.work):
        start = found.start()
        if text.work[start - 1] == ord("(") and (_word_before(text, start - 1) or b"if") in _KEYWORDS:
            continue  # a cast, or an operator that takes types by itself
        group = found.lastgroup
        text.blank(*found.span("stars"))
        if found["words"]:
            words = found["words"]
            if len(words.split()) > 1 or words in {b"unsigned", b"signed", b"const", b"volatile", b"long", b"short"}:
                text.write(found.start("words"), words.replace(b" ", b"_").replace(b"\t", b"_").capitalize())
        else:
            group = "tagged" if found["tagged"] else "named"
            place, stop = found.span(group)
            name = bytes(text.work[place:stop]).split()[-1]
            text.blank(place, stop)
            text.write(stop - len(name), name)


def _turn_blocks_into_loops(text: MaskedText) -> None:
    """``list_for_each(p, h) stmt`` and ``any(x) {`` in a body become ``while``, the arguments a comma expression."""
    for found in _LOOP.finditer(text.work):
        opening = found.end() - 1
        close = text.closing(opening)
        if close is None or not _starts_statement(text, found.start()):
            continue
        after = text.next_visible(close + 1)
        if text.at(after) not in {b";", b",", b")", b""}:
            _rename(text, found.start(), opening, close)
    for found in _BLOCK.finditer(text.work):
        place = text.opening(found.start())
        word = _word_before(text, place) if place else b""
        if place is None or not word or word in _KEYWORDS:
            continue
        start = text.last_visible(place) + 1 - len(word)
        if start and text.work[start - 1] != 10 and _starts_statement(text, start):
            _rename(text, start, place, found.start())


def _rename(text: MaskedText, start: int, opening: int, close: int) -> None:
    """A call with a body becomes a loop; a name too short for the word ``while`` becomes ``if``."""
    line_end = text.work.find(b"\n", start, opening)
    room = (opening if line_end < 0 else line_end) - start
    word = b"while" if room >= 5 else b"if"
    if room < len(word):
        return
    # Arguments in arguments would be searched again at each level, so not to the end of very long ones.
    for jump in _JUMP.finditer(
        text.work, opening, min(close, opening + _MAX_ARGUMENTS)
    ):  # scoped_cond_guard(mutex_intr, return -EINTR, &lock)
        text.write(jump.start(), b"0".ljust(len(jump[0])) if _ends_argument(text, jump.end()) else b" " * len(jump[0]))
    text.blank(start, opening)
    text.write(start, word)
    if text.next_visible(opening + 1) == close and opening - start > len(word) and text.work[opening - 1] != 10:
        text.write(opening - 1, b"(1")


def _ends_argument(text: MaskedText, place: int) -> bool:
    after = text.next_visible(place)
    return text.at(after) in {b",", b")"}
