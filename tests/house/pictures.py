"""The pictures of the documentation: stored blocks, drawn the way Slack draws them, photographed in Chromium.

`make pictures` makes docs/pictures anew; it needs chromium.  What is drawn are the states of
tests/data/life, which a journey makes and compares, so a picture cannot show what the bot would not say.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.chats.browser import browser_page

ROOT = Path(__file__).parents[2]
LIFE, PICTURES = ROOT / "tests" / "data" / "life", ROOT / "docs" / "pictures"
SHOWN = {"thread": "1-new", "acknowledged": "2-acknowledged", "fixed": "5-fixed-in-v3"}
WIDTH = 760
STYLE = """
body { margin: 0; background: #fff; color: #1d1c1d; font: 15px/1.46 "DejaVu Sans", Lato, Arial, sans-serif; }
#thread { width: 760px; padding: 14px 18px; box-sizing: border-box; }
.message { display: flex; gap: 10px; margin-bottom: 16px; }
.message + .message { margin-left: 34px; border-left: 3px solid #e8e8e8; padding-left: 12px; }
.face { flex: none; width: 36px; height: 36px; border-radius: 6px; background: #20343d; color: #fff;
  text-align: center; font: bold 17px/36px sans-serif; }
.said { min-width: 0; flex: 1; }
.who b { font-size: 15px; } .who i { font: 10px sans-serif; background: #e8e8e8; padding: 1px 4px; border-radius: 2px; }
.section { margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 4px 16px; margin: 6px 0; white-space: pre-wrap; }
.context { color: #616061; font-size: 12px; margin: 3px 0; white-space: pre-wrap; }
pre { margin: 4px 0; padding: 7px; background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px;
  font: 10.5px/1.5 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }
code { color: #c0392b; } a { color: #1264a3; text-decoration: none; }
.actions { display: flex; flex-wrap: wrap; gap: 7px; margin: 8px 0 2px; }
.actions span { border: 1px solid #bbb; border-radius: 4px; padding: 3px 10px; font-size: 13px; font-weight: bold; }
.dot { display: inline-block; width: 12px; height: 12px; border-radius: 50%; vertical-align: -1px; margin-right: 2px; }
"""
DOTS = {"red_circle": "#dd2e44", "large_orange_circle": "#f4900c", "information_source": "#3b88c3"}


def markup(text: str) -> str:
    """Slack's markup as HTML.  What is not markup is escaped already, with the same three entities."""
    pieces = re.split(r"```\n?(.*?)\n?```", text, flags=re.S)
    return "".join(f"<pre>{piece}</pre>" if number % 2 else _inline(piece) for number, piece in enumerate(pieces))


def _inline(text: str) -> str:
    text = re.sub(r"<(https://[^|>]*)\|([^>]*)>", r'<a href="\1">\2</a>', text)
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", text)
    return re.sub(
        r":(\w+):",
        lambda m: f'<span class="dot" style="background:{DOTS[m[1]]}"></span>' if m[1] in DOTS else m[0],
        text,
    )


def drawn(block: dict[str, Any]) -> str:
    """One block.  Raises KeyError for a kind that is not drawn here."""
    kind = block["type"]
    if kind == "section" and "fields" in block:
        return _div("fields", *(f"<div>{markup(field['text'])}</div>" for field in block["fields"]))
    if kind == "section":
        return _div("section", markup(block["text"]["text"]))
    if kind == "context":
        return _div("context", *(markup(element["text"]) for element in block["elements"]))
    buttons = {"actions": block}[kind]["elements"]
    return _div("actions", *(f"<span>{html.escape(button['text']['text'])}</span>" for button in buttons))


def _div(kind: str, *inside: str) -> str:
    return f'<div class="{kind}">{"".join(inside)}</div>'


def thread(messages: list[dict[str, Any]]) -> str:
    """A page with the card and its replies."""

    def lines() -> Iterator[str]:
        for message in messages:
            said = "".join(drawn(block) for block in message["blocks"])
            who = '<div class="who"><b>gracewatch</b> <i>APP</i></div>'
            yield f'<div class="message"><div class="face">g</div><div class="said">{who}{said}</div></div>'

    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><div id=thread>{''.join(lines())}</div>"


def state(name: str) -> bytes:
    """The stored blocks behind a picture."""
    return (LIFE / f"{SHOWN[name]}.json").read_bytes()


def mark(name: str) -> str:
    """What a picture carries to say which blocks it shows."""
    return hashlib.sha256(state(name)).hexdigest()


async def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    async with browser_page() as page:
        await page.set_viewport_size({"width": WIDTH, "height": 400})
        for name in SHOWN:
            messages = json.loads(state(name).decode("utf-8").replace("<time>", "2026-04-21 09:12 UTC"))
            await page.set_content(thread(messages))
            picture = Image.open(io.BytesIO(await page.locator("#thread").screenshot())).convert("RGB")
            small = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            said = PngInfo()
            said.add_text("blocks", mark(name))
            small.save(PICTURES / f"{name}.png", optimize=True, pnginfo=said)


if __name__ == "__main__":
    asyncio.run(main())
