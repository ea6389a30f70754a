"""handle-visible-before-object-ready: the file descriptor is there before the reference that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_MAKES = re.compile(r"anon_inode_(?:get|create_get)(?P<what>fd|file)(?:_secure|_fmode)?")
_DATA = 2  # the argument that the file keeps: name, fops, data
_GET = re.compile(r"(?:^|_)get(?:_|$)|kref_get|refcount_inc|atomic_inc|(?:^|_)hold(?:_|$)")
_NO_GET = re.compile(r"get_unused|getf|get_user|get_order|(?:^|_)get_\w*(?:fd|file|name|data|id)(?:_|$)")

LATE_GET = Example(
    "the reference of the file is taken when the descriptor can be closed already",
    """\
 static int gadget_fd(struct hub *hub, struct gadget *g)
 {
 	int fd;

-	hub_get(hub);
-	fd = anon_inode_getfd("gadget", &gadget_fops, hub, O_RDWR);
-	if (fd < 0)
-		hub_put(hub);
+	fd = anon_inode_getfd("gadget", &gadget_fops, hub, O_RDWR);
+	if (fd >= 0)
+		hub_get(hub); // <-- warns
 	return fd;
 }
""",
)

INSTALLED = Example(
    "fd_install() comes before the reference",
    """\
 static int gadget_fd(struct hub *hub)
 {
 	int fd = get_unused_fd_flags(O_CLOEXEC);
 	struct file *file;

 	file = anon_inode_getfile("gadget", &gadget_fops, hub, O_RDWR);
 	if (IS_ERR(file))
 		return PTR_ERR(file);
+	fd_install(fd, file);
+	kref_get(&hub->ref); // <-- warns
-	kref_get(&hub->ref);
-	fd_install(fd, file);
 	return fd;
 }
""",
)

READY = Example(
    "the reference first; a reference on something else; the file not installed yet",
    """\
+static int gadget_fd(struct hub *hub, struct gadget *g)
+{
+	int fd;
+
+	hub_get(hub);
+	fd = anon_inode_getfd("gadget", &gadget_fops, hub, O_RDWR);
+	if (fd < 0)
+		hub_put(hub);
+	else
+		gadget_get(g);
+	return fd;
+}
+
+static int gadget_file(struct hub *hub)
+{
+	int fd = get_unused_fd_flags(O_CLOEXEC);
+	struct file *file = anon_inode_getfile("gadget", &gadget_fops, hub, O_RDWR);
+
+	hub_get(hub);
+	fd_install(fd, file);
+	return fd;
+}
""",
)

SETUP = Example(
    "a member that is set up late",
    """\
+static int gadget_fd(struct hub *hub)
+{
+	int fd = anon_inode_getfd("gadget", &gadget_fops, hub, O_RDWR);
+
+	hub->ready = true;
+	return fd;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("fs/file.c fd_install()", "Documentation/RCU/rcuref.rst"),
    why="""From fd_install() on, which anon_inode_getfd() has inside, another thread can guess the number and close it:
    release drops a reference that was not taken yet, and the object is freed under its maker.""",
    instead="Take the reference first, and drop it on the error path; install the descriptor last.",
    bad=(LATE_GET, INSTALLED),
    good=(READY,),
    blind_spots=(SETUP,),
    hunk_proves=True,
)
def handle_visible_before_object_ready(code: Code) -> Iterator[Hit]:
    """The reference that a file holds is taken after its descriptor was installed."""
    for function in code.facts.in_focus:
        for installed, data in _installed(function):
            late = _taken_late(function, installed, data)
            if late is not None:
                step, first = function.flow.steps[late], function.flow.steps[installed]
                yield hit_at(
                    function,
                    step,
                    data,
                    f"{step.name}() on {data} after {first.name}() let the descriptor be seen",
                    (step_evidence(Role.PUBLISH, function, first), step_evidence(Role.USE, function, step)),
                    question=f"What keeps {data} alive when the descriptor is closed between the two?",
                    cure="If nothing does: take the reference before the descriptor is installed.",
                )


def _installed(function: Function) -> Iterator[tuple[int, str]]:
    """Steps from which on a descriptor is seen, with the object that its file holds."""
    steps = function.flow.steps
    data: dict[str, str] = {}  # the file's variable -> the object
    for number, step in enumerate(steps):
        made = _MAKES.fullmatch(step.name) if step.kind is StepKind.CALL and len(step.args) > _DATA else None
        if made and step.args[_DATA].isidentifier() and step.args[_DATA] != "NULL":
            if made["what"] == "fd":
                yield number, step.args[_DATA]
            else:
                data[step.target] = step.args[_DATA]
        elif step.kind is StepKind.CALL and step.name == "fd_install" and step.args[-1] in data:
            yield number, data[step.args[-1]]


def _taken_late(function: Function, installed: int, data: str) -> int | None:
    """The first get of the object that a way from the installation meets, none having been taken before it."""

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP or (step.kind is StepKind.ASSIGN and step.name == data)

    if any(_gets(function.flow.steps[number], data) for number in function.flow.before(installed)):
        return None
    return next(
        (at for at in sorted(function.flow.after(installed, ends)) if _gets(function.flow.steps[at], data)), None
    )


def _gets(step: Step, data: str) -> bool:
    if step.kind is not StepKind.CALL or not _GET.search(step.name) or _NO_GET.search(step.name):
        return False
    return any(argument == data or argument.lstrip("&(").startswith(f"{data}->") for argument in step.args[:1])
