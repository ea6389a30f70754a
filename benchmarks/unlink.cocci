// Spatch's form of two rules: a node that some place adds with list_add_rcu() is removed with list_del(), and a node that
// is removed with list_del_rcu() is freed with no grace period between.

@published@
expression node, head;
identifier member;
@@
list_add_rcu(&node->member, head)

@removed@
expression node;
identifier published.member;
@@
* list_del(&node->member)

@freed@
expression node;
identifier member;
@@
* list_del_rcu(&node->member);
... when != synchronize_rcu()
* kfree(node);
