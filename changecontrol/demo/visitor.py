"""A person at a browser, without the browser: reads a page's forms, fills one in and sends it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx2

Fields = list[tuple[str, str]]


@dataclass
class Fillable:
    """One form of a page with what it would send untouched."""

    action: str
    fields: Fields = field(default_factory=list)

    def filled(self, values: dict[str, str | list[str]]) -> dict[str, list[str]]:
        """What is sent: the page's own values, ours in their place."""
        sent: dict[str, list[str]] = {}
        for name, value in self.fields:
            sent.setdefault(name, []).append(value)
        return sent | {name: value if isinstance(value, list) else [value] for name, value in values.items()}


class Page(HTMLParser):
    """The forms and the text of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.forms: list[Fillable] = []
        self.words: list[str] = []
        self._select = self._area = ""
        self._options: Fields = []
        self._quiet = 0
        self.feed(markup)

    @property
    def text(self) -> str:
        """Everything a person can read, in one line."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, and fields with their values."""
        given = {name: value or "" for name, value in attrs}
        if tag in {"script", "style", "symbol"}:
            self._quiet += 1
        elif tag == "form":
            self.forms.append(Fillable(given.get("action", "")))
        elif self.forms:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") not in {"checkbox", "radio", "submit"}:
            self.forms[-1].fields.append((name, given.get("value", "")))
        elif tag == "input" and name and "checked" in given:
            self.forms[-1].fields.append((name, given.get("value", "on")))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((given.get("value", ""), "selected" if "selected" in given else ""))
        elif tag == "textarea":
            self._area = name
            self.forms[-1].fields.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        """Close what was open."""
        if tag in {"script", "style", "symbol"}:
            self._quiet -= 1
        elif tag == "select" and self._select:
            chosen = [value for value, mark in self._options if mark] or [value for value, _ in self._options[:1]]
            self.forms[-1].fields += [(self._select, value) for value in chosen]
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        """Collect the words a person sees, and what a text area holds."""
        if self._area and self.forms:
            name, value = self.forms[-1].fields[-1]
            self.forms[-1].fields[-1] = (name, value + data)
        elif not self._quiet:
            self.words.append(data)


class Visitor:
    """Somebody with a session."""

    def __init__(self, base: str, name: str) -> None:
        self.name = name
        self._client = httpx2.Client(base_url=base, follow_redirects=True, timeout=30)
        self.status = 0
        self.url = ""

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def open(self, path: str) -> Page:
        """Look at a page."""
        return self._read(self._client.get(path))

    def send(self, path: str, values: dict[str, str | list[str]], *, form: str = "") -> Page:
        """Open a page, fill in the form whose address ends with `form` (else the one of the page) and send it."""
        return self.fill(self.open(path), values, form=form)

    def fill(self, page: Page, values: dict[str, str | list[str]], *, form: str = "") -> Page:
        """The same on the page that was just answered."""
        wanted = urlsplit(urljoin(self.url, form)).path if form else urlsplit(self.url).path
        chosen = next((one for one in page.forms if urlsplit(urljoin(self.url, one.action)).path == wanted), None)
        if chosen is None:
            raise LookupError(f"{self.url} has no form for {wanted}; it says: {page.text[:300]}")
        target = urljoin(self.url, chosen.action) if chosen.action else self.url
        return self._read(self._client.post(target, data=chosen.filled(values), headers={"Referer": self.url}))

    def post(self, path: str, values: dict[str, str]) -> Page:
        """Send something no form of the page offers, as somebody does who does not believe a disabled button."""
        mark = self._client.cookies.get("csrftoken") or ""
        return self._read(self._client.post(path, data={**values, "csrfmiddlewaretoken": mark}, headers={"Referer": self.url}))

    def sign_in(self, email: str, password: str) -> None:
        """Sign in; raises LookupError when the page does not let us."""
        page = self.send("/accounts/login/", {"login": email, "password": password})
        if urlsplit(self.url).path.startswith("/accounts/login"):
            raise LookupError(f"{email} is not let in: {page.text[:300]}")

    def _read(self, response: httpx2.Response) -> Page:
        self.status, self.url = response.status_code, str(response.url)
        return Page(response.text)
