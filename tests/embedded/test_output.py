"""Lines of many children on one terminal."""

import io
import os

from changecontrol.embedded.output import LONGEST_LINE, Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_each_line_carries_the_name_of_who_wrote_it() -> None:
    stream = io.StringIO()

    Output(stream).say("web", "one\ntwo")
    Output(stream).say("postgres", "")

    assert stream.getvalue() == "web      | one\nweb      | two\npostgres | \n"


def test_terminal_gets_colours_one_per_name_unless_no_color_is_set() -> None:
    coloured, plain = Terminal(), Terminal()
    output = Output(coloured, environment={})
    output.say("web", "x")
    output.say("beat", "x")
    Output(plain, environment={"NO_COLOR": "1"}).say("web", "x")

    assert coloured.getvalue() == "\x1b[36mweb      |\x1b[0m x\n\x1b[32mbeat     |\x1b[0m x\n"
    assert plain.getvalue() == "web      | x\n"


def test_control_characters_in_a_log_line_cannot_command_the_terminal() -> None:
    stream = io.StringIO()

    Output(stream).say("web", "a\x1b[2Jb\x00c\td")

    assert stream.getvalue() == "web      | a\\x1b[2Jb\\x00c\td\n"


def test_output_of_a_child_is_copied_to_its_last_line_whatever_its_bytes_are() -> None:
    stream = io.StringIO()
    reader, writer = os.pipe()
    os.write(writer, b"whole\r\nbroken \xff utf-8\nno line end")
    os.close(writer)

    Output(stream).follow("web", os.fdopen(reader, "rb")).join(timeout=10)

    assert stream.getvalue() == "web      | whole\nweb      | broken \ufffd utf-8\nweb      | no line end\n"


def test_endless_line_is_cut_instead_of_kept_in_memory() -> None:
    stream = io.StringIO()

    Output(stream).follow("web", io.BytesIO(b"x" * (LONGEST_LINE + 1))).join(timeout=10)

    assert [len(line) for line in stream.getvalue().splitlines()] == [LONGEST_LINE + 11, 12]


def test_reader_that_went_away_stops_nobody() -> None:
    Output(Gone()).say("web", "unheard")
    closed = io.StringIO()
    output = Output(closed)
    closed.close()
    output.say("web", "unheard")
