"""What a reader of an HTML page sees."""

from __future__ import annotations

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
