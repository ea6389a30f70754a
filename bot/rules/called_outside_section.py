"""called-outside-section: a function that needs its caller's read-side section is called without one."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.exposed import Exposed, exposed
from bot.code.vocabulary import READ_SIDE, SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, entered_at, hit_at, rule, step_evidence, way_down

WORK = Example(
    "work looks a gadget up as the packet path does, which holds the section",
    """\
 static struct gadget *gadget_find(struct hub *hub, int id)
 {
 	struct gadget *g;

 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (g->id == id)
 			return g;
 	return NULL;
 }

 static void hub_receive(struct hub *hub, int id)
 {
 	rcu_read_lock();
 	gadget_count(gadget_find(hub, id));
 	rcu_read_unlock();
 }

+static void hub_expire(struct work_struct *work)
+{
+	struct hub *hub = container_of(work, struct hub, work);
+
+	gadget_expire(gadget_find(hub, hub->oldest)); // <-- warns
+}
+
+static void hub_init(struct hub *hub)
+{
+	INIT_WORK(&hub->work, hub_expire);
+}
""",
)

TOLD = Example(
    "a lookup that asks for its section is called from a write to a file",
    """\
 static inline struct hub *task_hub(struct task_struct *task)
 {
 	return rcu_dereference_check(task->hub, lockdep_is_held(&hub_mutex));
 }

+static ssize_t hub_id_write(struct file *file, const char __user *data, size_t size, loff_t *at)
+{
+	return task_hub(current)->id; // <-- warns
+}

 static const struct file_operations hub_id_fops = {
+	.write = hub_id_write,
 };
""",
)

LEFT = Example(
    "the section ends one call too early",
    """\
 static struct gadget *gadget_first(struct hub *hub)
 {
 	return rcu_dereference(hub->first);
 }

+static int hub_write(struct file *file, const char __user *data, size_t size, loff_t *at)
+{
+	struct hub *hub = file->private_data;
+
+	rcu_read_lock();
+	hub_note(hub);
+	rcu_read_unlock();
+	return gadget_first(hub) != NULL; // <-- warns
+}

 static const struct file_operations hub_fops = {
 	.owner = THIS_MODULE,
+	.write = hub_write,
 };
""",
)

OWN = Example(
    "a function that has a section for something else, and whose callers hold none",
    """\
 struct gadget { int id; };
 struct hub { struct gadget __rcu *first, *spare; };

 static int hub_spare(struct hub *hub)
 {
+	return rcu_dereference(hub->spare)->id; // <-- warns
-	return 0;
 }

 static int hub_choose(struct hub *hub)
 {
 	int id;

 	rcu_read_lock();
 	id = rcu_dereference(hub->first)->id;
 	rcu_read_unlock();
 	return id ? id : hub_spare(hub);
 }

 static int hub_settle(struct hub *hub)
 {
 	return hub_choose(hub);
 }

 int hub_fault(struct hub *hub)
 {
 	return hub_settle(hub);
 }
""",
)

OWN_AND_CALLERS = Example(
    "a section inside the callers' section; callers that are not all in sight",
    """\
 struct gadget { int id; };
 struct hub { struct gadget __rcu *first, *spare; };

 static int hub_spare(struct hub *hub)
 {
+	return rcu_dereference(hub->spare)->id;
-	return 0;
 }

 static int hub_choose(struct hub *hub)
 {
 	int id;

 	rcu_read_lock();
 	id = rcu_dereference(hub->first)->id;
 	rcu_read_unlock();
 	return id ? id : hub_spare(hub);
 }

 static int hub_settle(struct hub *hub)
 {
 	return hub_choose(hub);
 }

 int hub_fault(struct hub *hub)
 {
 	guard(rcu)();
 	return hub_settle(hub);
 }

 int hub_any(struct hub *hub)
 {
 	int id;

 	rcu_read_lock();
 	id = rcu_dereference(hub->first)->id;
 	rcu_read_unlock();
+	return id ? id : rcu_dereference(hub->spare)->id;
-	return id;
 }
""",
)

HELD = Example(
    "a section, a lock, a lock that a callee takes, a contract, a callee with a section of its own",
    """\
 static struct gadget *gadget_first(struct hub *hub)
 {
 	return rcu_dereference(hub->first);
 }

 static void hub_enter(struct hub *hub)
 {
 	mutex_lock(&hub->lock);
 }

+/* Called with the hub locked. */
+static int hub_busy(struct hub *hub)
+{
+	return gadget_first(hub) != NULL;
+}
+
+static void hub_expire(struct work_struct *work)
+{
+	struct hub *hub = container_of(work, struct hub, work);
+
+	scoped_guard(rcu)
+		gadget_expire(gadget_first(hub));
+	hub_enter(hub);
+	gadget_count(gadget_first(hub));
+	mutex_unlock(&hub->lock);
+	hub_busy(hub);
+}
+
+static void hub_init(struct hub *hub)
+{
+	INIT_WORK(&hub->work, hub_expire);
+}
""",
)

UNKNOWN_TABLE = Example(
    "a table whose callers are not known: they may hold the section",
    """\
 static struct gadget *gadget_first(struct hub *hub)
 {
 	return rcu_dereference(hub->first);
 }

+static int hub_poke(struct hub *hub)
+{
+	return gadget_first(hub) != NULL;
+}
+
+static const struct hub_ops ops = {
+	.poke = hub_poke,
+};
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 2",),
    why="""What the callee reads may be freed as soon as a grace period ends.  Its other callers hold the section; on
    this way, from the entry down, nobody does.""",
    instead="Take the section around the call and the use of what it found, or call a form that takes a reference.",
    bad=(WORK, TOLD, LEFT, OWN),
    good=(HELD, OWN_AND_CALLERS),
    blind_spots=(UNKNOWN_TABLE,),
    replaces=("read-lock-removed",),
)
def called_outside_section(code: Code) -> Iterator[Hit]:
    """A read that needs its caller's section is reached on a way that holds neither a section nor a lock."""
    for place in exposed(code.facts, code.needs, code.entries, READ_SIDE):
        if place.need.kind != SRCU:
            yield _warning(place)


def _warning(place: Exposed) -> Hit:
    step = place.function.flow.steps[place.number]
    reads = place.way.reads or "what RCU protects"
    return hit_at(
        place.function,
        step,
        reads,
        f"{step.name}() reads {reads} outside of any {place.need.kind} section",
        (
            *entered_at(place, f"no section and no lock on the way to {place.function.name}()"),
            step_evidence(Role.USE, place.function, step),
            *way_down(place),
        ),
        question="Which section covers this path?",
        cure="If none: rcu_read_lock() around the call and the use of its result.",
    )
