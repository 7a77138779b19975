"""Reading a page as a browser does: its links, its forms, and what is said to be wrong with which field."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class Control:
    """One named control of a form: what it holds, and what it says about what it takes."""

    name: str
    kind: str
    value: str = ""
    options: list[str] = field(default_factory=list)
    longest: int | None = None
    is_required: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether only what is offered may be sent."""
        return self.kind in {"select", "radio"} or (self.kind == "checkbox" and bool(self.options) and self.options != ["on"])


@dataclass
class PageForm:
    """One form of a page."""

    method: str
    action: str
    controls: dict[str, Control] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def is_like(self, other: "PageForm") -> bool:
        """Whether the other one asks for the same things."""
        return self.method == other.method and self.controls.keys() == other.controls.keys()

    @property
    def values(self) -> dict[str, list[str]]:
        """What a browser sends when nobody touches anything and the first button is pressed."""
        sent = {name: [one.value] for name, one in self.controls.items() if one.kind not in {"radio", "checkbox"} or one.value}
        return sent | {name: [value] for name, value in self.buttons[:1] if name}


class Page(HTMLParser):
    """The parts of a page that lead on."""

    def __init__(self, text: str, address: str) -> None:
        super().__init__()
        self.address, self.links, self.forms = address, [], []
        self._form: PageForm | None = None
        self._inside: Control | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take what matters of a tag."""
        given = {name: value or "" for name, value in attributes}
        match tag:
            case "a":
                self._link(given.get("href", ""))
            case "form":
                self._form = PageForm(given.get("method", "get").lower(), urljoin(self.address, given.get("action") or self.address))
                self.forms.append(self._form)
            case "input" | "select" | "textarea" if self._form is not None and given.get("name"):
                self._control(tag, given)
            case "option" if self._inside is not None:
                self._option(given)
            case "button" if self._form is not None and given.get("type", "submit") == "submit":
                self._button(self._form, given)
        if "hx-get" in given:
            self._link(given["hx-get"])

    def handle_endtag(self, tag: str) -> None:
        """Leave a form or a control."""
        if tag == "form":
            self._form = None
        if tag in {"select", "textarea"} and self._inside is not None:
            self._inside.value = self._inside.value.removeprefix("\n")  # the first line break of a text area is not part of it
            self._inside = None

    def handle_data(self, data: str) -> None:
        """The words in a text area are its value."""
        if self._inside is not None and self._inside.kind == "textarea":
            self._inside.value += data

    def _link(self, target: str) -> None:
        whole = urljoin(self.address, target.partition("#")[0])
        if target and whole.startswith("/") and not whole.startswith("/static/"):
            self.links.append(whole)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        kind = given.get("type", "text") if tag == "input" else tag
        longest = int(given["maxlength"]) if given.get("maxlength", "").isdecimal() else None
        one = self._form.controls.setdefault(given["name"], Control(given["name"], kind, longest=longest))
        one.is_required |= "required" in given
        if kind in {"radio", "checkbox"}:
            one.options.append(given.get("value", "on"))
            if "checked" in given:
                one.value = given.get("value", "on")
        elif tag == "input":
            one.value = given.get("value", "")
        else:
            self._inside = one

    def _option(self, given: dict[str, str]) -> None:
        assert self._inside is not None
        self._inside.options.append(given.get("value", ""))
        if "selected" in given or len(self._inside.options) == 1:
            self._inside.value = given.get("value", "")

    def _button(self, form: PageForm, given: dict[str, str]) -> None:
        form.buttons.append((given.get("name", ""), given.get("value", "")))
        if given.get("formaction"):
            self.forms.append(PageForm(form.method, urljoin(self.address, given["formaction"]), form.controls, []))
