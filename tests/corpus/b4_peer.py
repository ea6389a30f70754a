"""What b4 makes of mail: threads in on standard input, the series in each of them out.  It is run by b4's own Python.

A line of input is a thread: a JSON list of mails, each in base64.  A line of output is a JSON list of series: the
cover's Message-ID and then those of the patches in their order, null for what is not there.
"""

from __future__ import annotations

import base64
import email
import email.policy
import json
import logging
import sys

import b4  # type: ignore[import-not-found]


def main() -> None:
    logging.disable()
    b4.MAIN_CONFIG = {**b4.DEFAULT_CONFIG, "attestation-policy": "off"}
    for line in sys.stdin:
        mailbox = b4.LoreMailbox()
        for mail in json.loads(line):
            mailbox.add_message(
                email.message_from_bytes(base64.b64decode(mail), policy=email.policy.EmailPolicy(utf8=True))
            )
        found = [mailbox.get_series(version, codereview_trailers=False) for version in sorted(mailbox.series)]
        ids = [[part.msgid if part else None for part in series.patches] for series in found if series]
        print(json.dumps(ids), flush=True)


if __name__ == "__main__":
    main()
