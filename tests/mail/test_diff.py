"""What a diff says is read line for line; what is damaged, quoted or dangerous is said and not guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawing import diff as one_line

from bot.mail import diff
from bot.model import FileChange, FileDiff

SIMPLE = (
    "diff --git a/virt/kvm/kvm_main.c b/virt/kvm/kvm_main.c\n"
    "index 0123456789ab..ba9876543210 100644\n"
    "--- a/virt/kvm/kvm_main.c\n"
    "+++ b/virt/kvm/kvm_main.c\n"
    "@@ -10,4 +10,4 @@ static void forget(struct kvm *kvm)\n"
    " \tone();\n"
    "-\tlist_del(&dev->vm_node);\n"
    "+\tlist_del_rcu(&dev->vm_node);\n"
    " \ttwo();\n"
    " }\n"
)


def only(text: str) -> FileDiff:
    """The one file of a diff that has nothing wrong with it."""
    (file,), problems = diff.read(text)
    assert problems == ()
    return file


def test_a_plain_change_is_read_whole() -> None:
    file = only(SIMPLE)
    assert (file.old_path, file.new_path) == ("virt/kvm/kvm_main.c", "virt/kvm/kvm_main.c")
    assert (file.old_blob, file.new_blob, file.old_mode, file.new_mode) == (
        "0123456789ab",
        "ba9876543210",
        "100644",
        "100644",
    )
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (10, 4, 10, 4)
    assert hunk.section == "static void forget(struct kvm *kvm)"
    assert hunk.lines[1:3] == ("-\tlist_del(&dev->vm_node);", "+\tlist_del_rcu(&dev->vm_node);")
    assert (file.added, file.removed) == (1, 1)


def test_tabs_and_trailing_blanks_are_kept() -> None:
    assert only(SIMPLE.replace("one();", "one();\t  ")).hunks[0].lines[0] == " \tone();\t  "


def test_a_carriage_return_in_a_patch_is_kept() -> None:
    file = only(SIMPLE.replace("();\n", "();\r\n"))
    assert file.hunks[0].lines[0] == " \tone();\r"
    wholly = only(SIMPLE.replace("\n", "\r\n"))
    assert wholly.path == "virt/kvm/kvm_main.c"
    assert wholly.hunks[0].lines[1].endswith(";\r")


@pytest.mark.parametrize(
    ("head", "change", "old", "new"),
    [
        ("rename from a.c\nrename to b.c\n", FileChange.RENAMED, "a.c", "b.c"),
        ("copy from a.c\ncopy to b.c\n", FileChange.COPIED, "a.c", "b.c"),
    ],
)
def test_renames_and_copies_need_no_hunk(head: str, change: FileChange, old: str, new: str) -> None:
    file = only(f"diff --git a/a.c b/b.c\nsimilarity index 100%\n{head}")
    assert (file.change, file.old_path, file.new_path, file.hunks) == (change, old, new, ())


def test_a_new_empty_file_has_no_hunks() -> None:
    file = only("diff --git a/x/.keep b/x/.keep\nnew file mode 100644\nindex 000000000000..e69de29bb2d1\n")
    assert (file.change, file.path, file.new_mode) == (FileChange.ADDED, "x/.keep", "100644")


def test_a_mode_change_alone_is_a_change() -> None:
    file = only("diff --git a/run me.sh b/run me.sh\nold mode 100644\nnew mode 100755\n")
    assert (file.path, file.old_mode, file.new_mode) == ("run me.sh", "100644", "100755")


def test_a_deleted_file_keeps_its_old_name() -> None:
    file = only(
        "diff --git a/gone.c b/gone.c\ndeleted file mode 100644\nindex 1234567..0000000\n"
        "--- a/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int x;\n"
    )
    assert (file.change, file.old_path, file.new_path, file.path) == (FileChange.DELETED, "gone.c", None, "gone.c")


@pytest.mark.parametrize(
    "body",
    [
        "Binary files a/logo.png and b/logo.png differ\n",
        "GIT binary patch\nliteral 6\nNcmZ?wbhEHbU|?Wo\n\nliteral 0\nHcmV?d00001\n\n",
    ],
)
def test_a_binary_file_is_named_and_not_unpacked(body: str) -> None:
    files, problems = diff.read(f"diff --git a/logo.png b/logo.png\nindex 1234567..89abcde 100644\n{body}{SIMPLE}")
    assert problems == ()
    assert [(file.path, file.binary) for file in files] == [("logo.png", True), ("virt/kvm/kvm_main.c", False)]


def test_a_quoted_path_is_unquoted() -> None:
    text = SIMPLE.replace("a/virt/kvm/kvm_main.c", r'"a/caf\303\251 \"x\".c"').replace(
        "b/virt/kvm/kvm_main.c", r'"b/caf\303\251 \"x\".c"'
    )
    assert only(text).path == 'café "x".c'


def test_the_side_without_a_last_newline_is_known() -> None:
    text = SIMPLE.replace("@@ -10,4 +10,4 @@", "@@ -10,3 +10,3 @@").replace(" }\n", "\\ No newline at end of file\n")
    assert only(text).hunks[0].missing_newline == "-+"
    new = "diff --git a/n b/n\n--- a/n\n+++ b/n\n@@ -1 +1 @@\n-x\n+y\n\\ No newline at end of file\n"
    assert only(new).hunks[0].missing_newline == "+"
    assert diff.reverse(only(new)).hunks[0].missing_newline == "-"


def test_the_signature_is_no_removed_line() -> None:
    assert only(f"{SIMPLE}-- \n2.44.0\n") == only(SIMPLE)


def test_a_removed_line_of_dashes_is_no_signature() -> None:
    text = "diff --git a/q.lua b/q.lua\n--- a/q.lua\n+++ b/q.lua\n@@ -1,3 +1 @@\n--- old note\n--\n x\n-- \n2.44.0\n"
    assert only(text).hunks[0].lines == ("--- old note", "--", " x")


def test_two_hunks_and_two_files_come_in_order() -> None:
    second = "@@ -40,1 +40,2 @@ int two(void)\n }\n+/* end */\n"
    files, problems = diff.read(SIMPLE + second + one_line(path="mm/mmu_notifier.c") + "-- \n2.44.0\n")
    assert problems == ()
    assert [(file.path, len(file.hunks)) for file in files] == [("virt/kvm/kvm_main.c", 2), ("mm/mmu_notifier.c", 1)]


def test_a_plain_diff_without_git_is_read() -> None:
    file = only(
        "Index: linux/mm/x.c\n===================================================================\n"
        "--- linux.orig/mm/x.c\t2024-03-01 12:00:00 +0100\n+++ linux/mm/x.c\t2024-03-01 12:01:00 +0100\n"
        "@@ -1 +1 @@\n-a\n+b\n"
    )
    assert (file.old_path, file.new_path, file.change) == ("mm/x.c", "mm/x.c", FileChange.MODIFIED)


def test_a_diff_without_prefixes_keeps_its_directories() -> None:
    text = SIMPLE.replace("a/virt", "virt").replace("b/virt", "virt")
    assert only(text).path == "virt/kvm/kvm_main.c"


@pytest.mark.parametrize(
    "prose",
    [
        "".join(f"> {line}\n" for line in SIMPLE.splitlines()),
        "".join(f"    {line}\n" for line in SIMPLE.splitlines()),
        "diff --git is how git begins.\nSee the --- and +++ lines.\n@@ here and @@ there\n",
        "--- a/x\n+++ b/x\nbut no hunk\n",
    ],
)
def test_a_diff_that_is_only_quoted_is_prose(prose: str) -> None:
    assert diff.read(prose) == ((), ())


def test_names_in_the_commit_message_make_no_file() -> None:
    files, problems = diff.read(f"Like this:\n\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n\nthus.\n---\n{SIMPLE}")
    assert [file.path for file in files] == ["virt/kvm/kvm_main.c"]
    assert "above the '---' line" in problems[0]


def test_a_merge_is_said_and_not_read() -> None:
    files, problems = diff.read(
        "diff --cc mm/x.c\nindex 1234567,89abcde..fedcba9\n--- a/mm/x.c\n+++ b/mm/x.c\n"
        "@@@ -1,1 -1,1 +1,1 @@@\n- a\n -b\n++c\n" + SIMPLE
    )
    assert [file.path for file in files] == ["virt/kvm/kvm_main.c"]
    assert problems == ("the combined diff of a merge is not read: mm/x.c",)


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../x", "/etc/passwd", ".git/hooks/post-checkout"])
def test_a_path_that_leaves_the_tree_is_refused(path: str) -> None:
    files, problems = diff.read(SIMPLE.replace("virt/kvm/kvm_main.c", path) + one_line(path="ok.c"))
    assert [file.path for file in files] == ["ok.c"]
    assert "outside the tree" in problems[0]


def test_a_rename_out_of_the_tree_is_refused() -> None:
    files, problems = diff.read("diff --git a/x b/x\nrename from x\nrename to ../x\n")
    assert files == ()
    assert "outside the tree" in problems[0]


def test_counts_that_claim_too_much_are_corrected() -> None:
    (file,), problems = diff.read(SIMPLE.replace("-10,4 +10,4", "-10,40 +10,40") + "-- \n2.44.0\n")
    assert (file.hunks[0].old_count, file.hunks[0].new_count, len(file.hunks[0].lines)) == (4, 4, 5)
    assert "not what its header says" in problems[0]


def test_counts_that_claim_too_little_hide_no_line() -> None:
    (file,), problems = diff.read(SIMPLE.replace("-10,4 +10,4", "-10,1 +10,1"))
    assert "+\tlist_del_rcu(&dev->vm_node);" in file.hunks[0].lines
    assert "not what its header says" in problems[0]


def test_a_truncated_diff_keeps_what_came() -> None:
    (file,), problems = diff.read(SIMPLE[: SIMPLE.index(" \ttwo")])
    assert file.hunks[0].lines[-1] == "+\tlist_del_rcu(&dev->vm_node);"
    assert len(problems) == 1


def test_a_wrapped_line_costs_its_hunk_and_no_other() -> None:
    wrapped = SIMPLE.replace("list_del_rcu(&dev", "list_del_rcu(\n&dev")
    (file, other), problems = diff.read(wrapped + "@@ -50 +50 @@\n-x\n+y\n" + one_line(path="ok.c"))
    assert [hunk.old_start for hunk in file.hunks] == [50]
    assert other.path == "ok.c"
    assert problems[0].startswith("virt/kvm/kvm_main.c: mangled: line 9")


def test_empty_context_lines_that_lost_their_blank_are_context() -> None:
    assert only(SIMPLE.replace(" \ttwo();\n", "\n")).hunks[0].lines[3] == " "


def test_the_same_diff_twice_counts_once() -> None:
    files, problems = diff.read(SIMPLE + "-- \n2.44.0\n\n" + SIMPLE)
    assert len(files) == 1
    assert "there twice" in problems[0]


def test_reversing_swaps_what_came_and_what_went() -> None:
    file = only(SIMPLE)
    back = diff.reverse(file)
    assert back.hunks[0].lines[1:3] == ("-\tlist_del_rcu(&dev->vm_node);", "+\tlist_del(&dev->vm_node);")
    assert (back.old_blob, back.new_blob) == (file.new_blob, file.old_blob)
    assert diff.reverse(back) == file


def test_a_new_file_reversed_is_a_deleted_one() -> None:
    file = only(
        "diff --git a/new.c b/new.c\nnew file mode 100644\nindex 000000000000..1234567\n"
        "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int x;\n"
    )
    assert (file.change, file.old_path, file.new_path) == (FileChange.ADDED, None, "new.c")
    back = diff.reverse(file)
    assert (back.change, back.old_path, back.new_path) == (FileChange.DELETED, "new.c", None)
    assert (back.old_mode, back.new_mode) == ("100644", "")
    assert diff.reverse(back) == file


def test_a_copy_reversed_goes_away() -> None:
    file = only("diff --git a/a.c b/b.c\nsimilarity index 100%\ncopy from a.c\ncopy to b.c\n")
    assert diff.reverse(file) == replace(file, old_path="b.c", new_path=None, change=FileChange.DELETED)


def test_a_hundred_thousand_lines_are_read() -> None:
    body = "".join(f"+line {number}\n" for number in range(100_000))
    text = f"diff --git a/big.c b/big.c\nnew file mode 100644\n--- /dev/null\n+++ b/big.c\n@@ -0,0 +1,100000 @@\n{body}"
    assert only(text).added == 100_000


@pytest.mark.parametrize(
    "text",
    [
        "diff --cc x\n" * 50_000,
        "@@ -1 +1 @@\n" * 50_000,
        "diff --git a/x b/x\n" * 50_000,
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n" + "@@ -1,9 +1,9 @@\nwrapped\n+x\n" * 20_000,
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,99999 +1,99999 @@\n" + "-- \n" * 50_000,
        'diff --git "' + "\\" * 100_000 + "\n",
        "--- " + "a" * 500_000 + "\n",
    ],
)
def test_crafted_text_ends_with_few_words(text: str) -> None:
    _, problems = diff.read(text)
    assert len(problems) <= 21
