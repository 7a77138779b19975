"""A program of its own: serves the gate as one web process, and halts where it is told, so that it can be killed just there."""

import os
import signal
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """Says nothing: the test looks at what came back."""

    def log_message(self, *_):
        """Nothing."""


def halt_after(module, name: str, place: Path) -> None:
    """Let a function do its work, say so, and never come back."""
    original = getattr(module, name)

    def halting(*args, **given):
        done = original(*args, **given)
        (place / "halted").touch()
        signal.pause()
        return done

    setattr(module, name, halting)


def main(place: Path) -> None:
    from changecontrol.wsgi import application

    if os.environ.get("HALT") == "written":
        from apps.gate import evaluate

        halt_after(evaluate, "write_answer", place)
    if os.environ.get("HALT") == "judged":
        from apps.gate import evaluate

        halt_after(evaluate, "judge", place)
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        (place / "port.new").write_text(str(server.server_port))
        (place / "port.new").rename(place / "port")
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
