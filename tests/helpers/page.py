"""What a reader of an HTML page sees."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " "))


class Text(HTMLParser):
    """What a reader sees of a page, the tags in it, and the text of its cells by row and their classes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[tuple[str, str]]] = []
        self._cell: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell, self._class = [], dict(attrs).get("class") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append((plain(" ".join(self._cell)).strip(), self._class))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.seen.append(data)
        if self._cell is not None:
            self._cell.append(data)

    @property
    def text(self) -> str:
        return plain(" ".join(self.seen))

    def row(self, start: str) -> list[tuple[str, str]]:
        return next(row for row in self.rows if row and re.match(rf"{start}\b", row[0][0]))


def breaches(html: str) -> list[str]:
    """What a browser would not do, or should not have to refuse."""
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    found = []
    if rules.pop("style-src").split() != [f"'sha256-{digest}'" for digest in map(sha256, elements("style", html))]:
        found.append("a style that does not match its hash")
    strict = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    if rules != strict:
        found.append(f"the rules {rules}")
    for tag, attributes in Text(html).tags:
        if tag in ("script", "iframe", "object", "embed", "form", "base"):
            found.append(f"<{tag}>")
        for name, value in attributes.items():
            if name.startswith("on") or name == "style":
                found.append(f"<{tag} {name}>")
            if name in ("href", "src", "xlink:href") and not (value or "").startswith(("#", "data:")):
                found.append(f"<{tag} {name}={value}>")
    # before anything that it should forbid
    if html.index("Content-Security-Policy") > html.index("<style"):
        found.append("the policy comes late")
    return found


def elements(tag: str, html: str) -> list[str]:
    return re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html, flags=re.DOTALL)


def sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
