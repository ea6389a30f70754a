"""The life of a finding in one thread, from v1 of the device list to the merge; each state is stored as it looks.

[PATCH 0/2]                     warns: 1 object, 2 places
├─ Re: a reviewer says the same
└─ [PATCH v2 0/2]               still open
   └─ [PATCH v3 0/2]            fixed
      ├─ Re: Reviewed-by
      ├─ Re: applied, thanks
      └─ [PATCH v4 0/2]         back again
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from zlib import crc32

from bot.model import Level
from bot.report.text import render
from tests.journeys.gracewatch import EXAMPLES
from tests.journeys.series_life import Watch, watch

V1, V3 = ((EXAMPLES / "kvm" / f"{name}.mbox").read_bytes() for name in ("v1", "v3"))


def as_version(number: int, mails: bytes = V1, days: int = 3) -> bytes:
    """A version with the diff of another."""
    made = re.sub(rb"kvm-devices-v\d", b"kvm-devices-v%d" % number, mails)
    made = re.sub(rb"Subject: \[PATCH(?: v\d)? ", b"Subject: [PATCH v%d " % number, made)
    return re.sub(rb"Date: \w+, \d\d Apr", lambda _: b"Date: Fri, %02d Apr" % (20 + days), made)


def reply(body: str, to: str, sender: str = "Tomas Adeyemi <tomas@example.com>") -> bytes:
    return (
        f"From: {sender}\nDate: Fri, 24 Apr 2026 10:00:00 +0200\nTo: kvm@lists.example.org\n"
        f"Subject: Re: [PATCH 0/2] KVM: arm64: Walk the device list under RCU\n"
        f"Message-ID: <{crc32(body.encode())}@example.com>\nIn-Reply-To: <{to}>\n\n{body}\n"
    ).encode()


def cover(version: int) -> str:
    sent = 20260423140530 if version == 3 else 20260420094011
    return f"{sent}.0-kvm-devices-v{version}@example.org"


RAISED = "Does anything wait for readers before kvm_device_release() frees dev? I see no grace period there."
APPLIED = "Applied to next, thanks!\n\n[1/2] KVM: Treat the device list as an rculist\n      commit: 0123456789ab"


async def name_of_fault(it: Watch) -> str:
    (_, fault) = await it.seen()
    return next(action.words for action in fault.actions if action.words.startswith("quote")).split()[1]


async def test_each_state_looks_as_it_was_stored(tmp_path: Path) -> None:
    async with watch(tmp_path) as it:
        await it.receive(V1)
        await it.compare("1-new")
        name = await name_of_fault(it)
        await it.say(f"ack {name} v2 will have it")
        await it.compare("2-acknowledged")
        await it.receive(as_version(2))
        await it.compare("3-still-open-in-v2")
        await it.receive(reply(RAISED, cover(2)))
        await it.compare("4-raised-by-a-reviewer")
        await it.receive(V3)
        await it.compare("5-fixed-in-v3")
        await it.receive(reply("Reviewed-by: Tomas Adeyemi <tomas@example.com>", cover(3)))
        await it.receive(reply(APPLIED, cover(3), "Ines Maintainer <ines@example.com>"))
        await it.compare("6-reviewed-and-merged")
        await it.receive(as_version(4, days=8))
        await it.compare("7-back-again-in-v4")
        assert (await it.it.counts())["gave-up"] == 0


async def test_a_dismissed_finding_stays_away_until_it_is_reopened(tmp_path: Path) -> None:
    async with watch(tmp_path) as it:
        await it.receive(V1)
        name = await name_of_fault(it)
        await it.say(f"fp {name} only called with the last reference")
        await it.compare("8-dismissed")
        before = len(await it.seen())
        await it.receive(as_version(2))
        await it.compare("9-dismissed-in-v2")
        assert len(await it.seen()) == before
        await it.say(f"reopen {name}", who="bo")
        await it.receive(reply(APPLIED, cover(2), "Ines Maintainer <ines@example.com>"))
        await it.compare("10-merged-with-it-open")


async def test_two_people_judge_at_once_and_one_clicks_twice(tmp_path: Path) -> None:
    async with watch(tmp_path) as it:
        await it.receive(V1)
        name = await name_of_fault(it)
        await asyncio.gather(it.say(f"ack {name}", "ada"), it.say(f"fp {name} no", "bo"), it.say(f"ack {name}", "ada"))
        async with it.it.store.transaction() as work:
            deeds = await work.deeds(10)
        assert {deed.who.id for deed in deeds} == {"ada", "bo"}
        last = deeds[0].who.id
        (card, fault) = await it.seen()
        assert f"@{last}" in render(fault, 200)
        assert (card.level is None) == (last == "bo")
        assert (await it.it.counts())["queued"] == 0


HOSTILE = "<!channel> `` ``` \u202e\u2066 *bold* <https://evil.example|click> @here " + "\U0001f600" * 5 + "x" * 5000


async def test_a_hostile_subject_harms_no_page_and_no_command(tmp_path: Path) -> None:
    async with watch(tmp_path) as it:
        mails = V1.replace(b"KVM: arm64: Walk the device list under RCU", HOSTILE.encode())
        await it.receive(mails)
        (card, _) = await it.seen()
        assert card.level is Level.ERROR
        assert len(card.headline) <= 200
        for words in ("open", "show", "series", "home", "digest", "quote", "mute series", "subscriptions", "status"):
            page = await it.say(words)
            text = render(page, 100)
            assert "\u202e" not in text
            assert len(text) < 20_000


async def test_a_burst_of_forty_series_is_forty_cards_in_order_and_nothing_twice(tmp_path: Path) -> None:
    async with watch(tmp_path) as it:
        burst = b""
        for number in range(40):
            made = V1.replace(b"kvm-devices-v1", b"kvm-devices-burst%d" % number)
            made = made.replace(b"Walk the device list", b"Walk device list number %d" % number)
            made = made.replace(b"change-id: 20260420-kvm-device-rculist-5b1f0c7e2a94", b"change-id: burst-%d" % number)
            burst += made
        await it.receive(burst)
        counts = await it.it.counts()
        assert (counts["series"], counts["reviewed"], counts["sent"], counts["queued"]) == (40, 40, 80, 0)
        heads = [line for line in it.it.chat.said.splitlines() if line.startswith("error: KVM: arm64: Walk device")]
        assert len(heads) == len(set(heads)) == 40
