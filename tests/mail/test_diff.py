"""What a diff says is read line for line; what is damaged, quoted or dangerous is said and not guessed."""

from __future__ import annotations

from bot.mail import diff
from bot.model import FileChange

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


def test_a_plain_change_is_read_whole() -> None:
    files, problems = diff.read(SIMPLE)
    assert problems == ()
    (file,) = files
    assert (file.old_path, file.new_path) == ("virt/kvm/kvm_main.c", "virt/kvm/kvm_main.c")
    assert (file.old_blob, file.new_blob, file.old_mode) == ("0123456789ab", "ba9876543210", "100644")
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (10, 4, 10, 4)
    assert hunk.section == "static void forget(struct kvm *kvm)"
    assert hunk.lines[1:3] == ("-\tlist_del(&dev->vm_node);", "+\tlist_del_rcu(&dev->vm_node);")


def test_reversing_swaps_what_came_and_what_went() -> None:
    (file,), _ = diff.read(SIMPLE)
    back = diff.reverse(file)
    assert back.hunks[0].lines[1:3] == ("-\tlist_del_rcu(&dev->vm_node);", "+\tlist_del(&dev->vm_node);")
    assert (back.old_blob, back.new_blob) == (file.new_blob, file.old_blob)
    assert diff.reverse(back) == file


def test_a_new_file_reversed_is_a_deleted_one() -> None:
    (file,), problems = diff.read(
        "diff --git a/new.c b/new.c\nnew file mode 100644\nindex 000000000000..1234567\n"
        "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int x;\n"
    )
    assert problems == ()
    assert (file.change, file.old_path, file.new_path) == (FileChange.ADDED, None, "new.c")
    back = diff.reverse(file)
    assert (back.change, back.old_path, back.new_path) == (FileChange.DELETED, "new.c", None)
