"""Mail oddities, one mailbox each: the file names what is odd, the table says what has to come out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from drawing import read

from bot.mail.assembly import assemble
from bot.model import RawMail

FOLDER = Path(__file__).resolve().parents[1] / "data" / "mail"
# file: (message-ids of the series, changed lines of each patch, problems of each patch)
EXPECTED = {
    "bugs-attached-in-base64": (["attached"], [2], [[]]),
    "bugs-list-footer": (["footer"], [2], [[]]),
    "bugs-part-replaced": (["v5", "v5-1", "v5.1-2"], [2, 2], [[], []]),
    "bugs-wrapped-lines": (
        ["wrapped"],
        [0],
        [["virt/kvm/notes.c: mangled: line 14 of the text lost its first character or was wrapped by a mail program"]],
    ),
}


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.mbox")))
def test_an_odd_mail_is_read_as_the_table_says(name: str) -> None:
    ids, changed, problems = EXPECTED[name]
    mails = re.split(rb"(?m)^From mboxrd@z [^\n]*\n", (FOLDER / f"{name}.mbox").read_bytes())[1:]
    letters = [read(RawMail(name, str(number), data)) for number, data in enumerate(mails)]
    (series,) = assemble(letters, datetime(2024, 4, 1, tzinfo=UTC))
    assert [one.removesuffix("@example.org") for one in series.message_ids] == ids
    assert [sum(file.added + file.removed for file in patch.files) for patch in series.patches] == changed
    assert [list(patch.problems) for patch in series.patches] == problems
