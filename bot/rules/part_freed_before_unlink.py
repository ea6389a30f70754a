"""part-freed-before-unlink: a part goes while readers can still find the object that it hangs on."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.parts import parts_freed
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

_READER = """\
 struct port { int id; };
 struct hub { struct hlist_node node; struct port *ports[8]; };

 static void hub_kick(u64 id, int nr)
 {
 	struct hub *hub;
 	struct port *port;

 	rcu_read_lock();
 	hub = hub_find(id);
 	if (hub) {
 		port = hub->ports[nr];
 		if (port)
 			port_kick(port);
 	}
 	rcu_read_unlock();
 }

 static void hub_hide(struct hub *hub)
 {
 	hlist_del_rcu(&hub->node);
 	synchronize_rcu();
 }

"""

EARLY = Example(
    "the ports are freed, and only then is the hub hidden",
    _READER
    + """\
+static void hub_destroy(struct hub *hub)
+{
+	struct port *port;
+	int i;
+
+	for (i = 0; i < 8; i++) {
+		port = hub->ports[i];
+		kfree(port); // <-- warns
+		hub->ports[i] = NULL;
+	}
+	hub_hide(hub);
+	kfree(hub);
+}
""",
)

IN_PLACE = Example(
    "the wait stands in the function itself",
    _READER
    + """\
+static void hub_destroy(struct hub *hub)
+{
+	struct port *port = hub->ports[0];
+
+	kfree(port); // <-- warns
+	hlist_del_rcu(&hub->node);
+	synchronize_rcu();
+	kfree(hub);
+}
""",
)

IN_ORDER = Example(
    "the hub is hidden first; the ports are freed after a grace period; a part that readers leave alone",
    _READER
    + """\
+static void hub_destroy(struct hub *hub)
+{
+	struct port *port = hub->ports[0];
+
+	hub_hide(hub);
+	kfree(port);
+	kfree(hub);
+}
+
+static void hub_destroy_slowly(struct hub *hub)
+{
+	struct port *port = hub->ports[0];
+
+	hub->ports[0] = NULL;
+	synchronize_rcu();
+	kfree(port);
+	hub_hide(hub);
+}
+
 struct hub { struct hlist_node node; struct port *ports[8]; char *name; };

+static void hub_rename(struct hub *hub)
+{
+	char *name = hub->name;
+
+	kfree(name);
+	hub_hide(hub);
+}
""",
)

FAR = Example(
    "the readers stand in a file that the diff does not name",
    """\
 struct port { int id; };
 struct hub { struct hlist_node node; struct port *ports[8]; };

+static void hub_destroy(struct hub *hub)
+{
+	struct port *port = hub->ports[0];
+
+	kfree(port);
+	hlist_del_rcu(&hub->node);
+	synchronize_rcu();
+	kfree(hub);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.75,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/whatisRCU.rst"),
    why="""A reader that finds the object in its section follows it to the part.  A grace period that comes after the
    part was freed is too late for that reader; clearing the member keeps out only those who have not read it yet.""",
    instead="Unlink the object and wait, then free its parts; or clear the member and kfree_rcu() the part.",
    bad=(EARLY, IN_PLACE),
    good=(IN_ORDER,),
    blind_spots=(FAR,),
)
def part_freed_before_unlink(code: Code) -> Iterator[Hit]:
    """What an object leads to is freed before the object is hidden from RCU readers and they are waited for."""
    for found in parts_freed(code.facts, code.lifetime):
        function, load = found.reader
        removal = found.freed.where
        line = removal.file_line(found.unlink.line)
        yield hit(
            found.freed,
            str(found.part),
            f"{found.freed.name}() of {found.part}, while readers can still find {found.owner}",
            (
                step_evidence(Role.READER, function, load),
                found.freed.evidence(Role.FREE),
                Evidence(Role.REMOVE, removal.path, removal.name, line, found.unlink.code),
            ),
            question=f"What keeps {function.name}() off {found.part} until {found.unlink.name}() has waited?",
            cure=f"If nothing does: {found.unlink.name}() first, or kfree_rcu() once the member is cleared.",
        )
