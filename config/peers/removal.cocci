// A removal from an RCU list whose node is freed with no wait between, and a plain removal from a list that gains
// nodes with an RCU primitive in the same file.  Written for the comparison in docs/truth.md; run with -D report.
virtual report

@freed exists@
expression node;
identifier member;
position p;
@@
(
list_del_rcu(&node->member);
|
hlist_del_rcu(&node->member);
|
hlist_del_init_rcu(&node->member);
)
... when != synchronize_rcu(...)
    when != synchronize_net(...)
    when != synchronize_srcu(...)
    when != synchronize_srcu_expedited(...)
(
kfree@p(node)
|
kvfree@p(node)
|
vfree@p(node)
)

@script:python depends on report@
p << freed.p;
@@
coccilib.report.print_report(p[0], "freed with no grace period after its removal from an RCU list")

@added@
expression node, head;
identifier member;
@@
(
list_add_rcu(&node->member, head)
|
list_add_tail_rcu(&node->member, head)
|
hlist_add_head_rcu(&node->member, head)
)

@plain@
expression node;
identifier added.member;
position p;
@@
(
list_del@p(&node->member)
|
list_del_init@p(&node->member)
|
hlist_del@p(&node->member)
|
hlist_del_init@p(&node->member)
)

@script:python depends on report@
p << plain.p;
@@
coccilib.report.print_report(p[0], "plain removal from a list that RCU primitives fill")
