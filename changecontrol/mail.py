"""How mail leaves, from the environment: one address, the single settings, or files beside the data while nothing is said."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from changecontrol.env import BadSetting, env_bool, env_int, env_str

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
SINGLE = ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS", "EMAIL_USE_SSL")
WRITE = "Write smtp+starttls://user:password@host:587, smtps://user:password@host:465, smtp://host:25, file:///folder or console:."


@dataclass(frozen=True, slots=True)
class MailWay:
    """Where mail goes and how; what a way does not need is empty."""

    backend: str
    folder: Path
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    use_starttls: bool = False
    use_tls: bool = False


def mail_way(folder: Path) -> MailWay:
    """Read EMAIL_URL, or EMAIL_HOST and its companions; without either mail lies in files in `folder`."""
    if url := env_str("EMAIL_URL"):
        if named := [name for name in SINGLE if env_str(name)]:
            raise BadSetting(f"EMAIL_URL and {' and '.join(named)} are both set. Keep one way.")
        return by_url(url, folder)
    use_starttls, use_tls = env_bool("EMAIL_USE_TLS", default=False), env_bool("EMAIL_USE_SSL", default=False)
    if use_starttls and use_tls:
        raise BadSetting(
            "EMAIL_USE_TLS and EMAIL_USE_SSL are both true. The first upgrades a plain connection, the second begins encrypted."
        )
    host = env_str("EMAIL_HOST")
    backend = env_str("EMAIL_BACKEND") or (SMTP if host else FILES)
    port = env_int("EMAIL_PORT", 25)
    if not 0 < port < 65536:
        raise BadSetting(f"EMAIL_PORT is {port}. Write a port from 1 to 65535.")
    user, password = env_str("EMAIL_HOST_USER"), env_str("EMAIL_HOST_PASSWORD")
    return MailWay(backend, folder, host or "localhost", port, user, password, use_starttls, use_tls)


def by_url(url: str, folder: Path) -> MailWay:
    """Read one address. What is wrong is said without repeating it: it holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"EMAIL_URL cannot be read. {WRITE}") from error
    if parts.query or parts.fragment:
        raise BadSetting(f"EMAIL_URL has something after the address. {WRITE}")
    if parts.scheme == "console":
        return MailWay(CONSOLE, folder)
    if parts.scheme == "file" and parts.path:
        return MailWay(FILES, Path(unquote(parts.path)))
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"}:
        raise BadSetting(f"EMAIL_URL names no way to send mail. {WRITE}")
    return MailWay(
        backend=SMTP,
        folder=folder,
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_starttls=parts.scheme == "smtp+starttls",
        use_tls=parts.scheme == "smtps",
    )


def sender(text: str) -> str:
    """The address mail comes from; one that holds a line break would be refused with every mail."""
    if not text.strip() or any(char in text for char in "\r\n") or "@" not in text:
        raise BadSetting(f"DEFAULT_FROM_EMAIL is {text!r}. Write an address, or a name and an address in angle brackets.")
    return text.strip()
