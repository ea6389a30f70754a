"""gracewatch audit, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

from bot.truth.neighbourhood import KVM, worlds_of
from tests.journeys.gracewatch import EXAMPLES, gracewatch

BAD = """\
struct gadget { struct list_head node; };
static LIST_HEAD(gadgets);

void gadget_add(struct gadget *g)
{
	list_add_rcu(&g->node, &gadgets);
}

int gadget_count(void)
{
	struct gadget *g;
	int n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(g, &gadgets, node)
		n++;
	rcu_read_unlock();
	return n;
}

void gadget_del(struct gadget *g)
{
	list_del(&g->node);
	kfree(g);
}
"""


def test_an_architecture_is_looked_at_with_the_generic_code_and_no_other() -> None:
    paths = ["virt/kvm/kvm_main.c", "arch/x86/kvm/x86.c", "arch/arm64/kvm/vgic/its.c", "arch/x86/mm/init.c", "README"]
    assert worlds_of(paths, KVM) == (
        ("virt/kvm/kvm_main.c", "arch/arm64/kvm/vgic/its.c"),
        ("virt/kvm/kvm_main.c", "arch/x86/kvm/x86.c"),
    )
    assert worlds_of(["net/core/dev.c"], KVM) == ()


def test_a_tree_as_it_was_accepted_has_no_suspect() -> None:
    done = gracewatch("audit", "--tree", str(EXAMPLES / "tree"))
    assert done.returncode == 0, done.stdout
    assert b"findings    0" in done.stdout


def test_a_suspect_is_shown_once_however_many_architectures_there_are(tmp_path: Path) -> None:
    for name in ("virt/kvm/gadget.c", "arch/x86/kvm/x.c", "arch/arm64/kvm/a.c"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(BAD if name.startswith("virt") else "int nothing;\n")
    done = gracewatch("audit", "--tree", str(tmp_path), "--format", "json")
    assert done.returncode == 1, done.stderr
    (series,) = json.loads(done.stdout)["series"]
    assert [(one["function"], one["introduced_by"]) for one in series["findings"]] == [("gadget_del", "")]
    told = gracewatch("audit", "--tree", str(tmp_path)).stdout.decode()
    assert "gadget_del()" in told
    assert "diff" not in told


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.c").write_text(BAD)
    (tmp_path / "tree/virt/kvm").mkdir(parents=True)
    (tmp_path / "tree/virt/kvm/link.c").symlink_to(tmp_path / "secret.c")
    (tmp_path / "tree/virt/kvm/plain.c").write_text("int nothing;\n")
    assert gracewatch("audit", "--tree", str(tmp_path / "tree")).returncode == 0


def test_a_tree_without_such_files_is_told_with_the_cure(tmp_path: Path) -> None:
    done = gracewatch("audit", "--tree", str(tmp_path), "--path", "net/*")
    assert done.returncode == 2
    assert b"no C file matches net/*" in done.stderr
