"""What a terminal shows of a run, at every width, and what a job's log gets."""

import io
import re
import time

import pytest
from rich.console import Console

from rlgan.runs import terminal
from rlgan.runs.progress import Progress, counted
from rlgan.runs.terminal import Terminal

CELLS = {
    "step": "756 of 1,800", "best validation perplexity": "5.012 at step 567", "D right on real": "71%",
    "D right on generated": "69%", "G's loss": "1.23", "D's loss": "0.661", "entropy": "3.79 nats",
    "speed": "12,345 tokens/s", "workers": "2 of 2",
}  # fmt: skip
SCORE = "test perplexity 5.1 (unigram 106.7, floor 3.14)"
# 42 % are done after 63 s, so that 87 s are left: pen and paper.
RUNNING = Progress("training", 756, 0.42, 63.0, SCORE, CELLS)
WIDTHS = (40, 60, 80, 100, 160)


def _drawn(width, *, encoding="utf-8", color="standard", progress=RUNNING):
    """The lines of the table as a terminal of this width is sent them, and all that it is sent."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    display = Terminal(Console(file=file, force_terminal=True, width=width, color_system=color))
    display.show(progress)
    with display:
        pass
    file.flush()
    sent = raw.getvalue().decode(encoding)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    return [line for part in plain.split("\r") for line in part.splitlines() if line.strip()], sent


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_is_no_wider_than_the_terminal_and_says_all(width, encoding):
    lines, _ = _drawn(width, encoding=encoding)
    assert max(map(len, lines)) <= width
    text = re.sub(r"\s+", " ", " ".join(lines))
    for label, value in CELLS.items():
        assert f"{label} {value}" in text
    assert SCORE in text
    assert "…" not in text
    assert "..." not in text
    (bar, *_) = [line for line in lines if "42%" in line]
    assert bar.startswith("training ")
    assert re.search(r"42%  1:0[34] elapsed  1:2[67] left$", bar)
    assert ("━" in bar) == (encoding == "utf-8" and width > 40)


def test_what_is_much_longer_than_the_rest_widens_no_column():
    long = "validation perplexity 4.58 at step 200"
    lines, _ = _drawn(80, progress=Progress("training", cells={"step": "3 of 4", "best": long, "speed": "80 tokens/s"}))
    assert lines[1:] == [f"best {long}", "step 3 of 4         speed 80 tokens/s"]


def test_what_has_no_end_that_is_known_has_no_percentage():
    lines, _ = _drawn(80, progress=Progress("preparing the data"))
    assert re.fullmatch(r"preparing the data\s+0:00 so far", lines[0])


def test_what_comes_before_training_has_the_times_of_its_own_kind(monkeypatch):
    """A quarter after 10 s: 30 s are left. Where the fraction falls, something else has begun."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    display = Terminal(console)
    display.status("preparing the data")
    now[0] = 110.0
    display.status("preparing the data", 0.25)
    assert re.search(r"^preparing the data .*25%  0:10 elapsed  0:30 left$", str(display.table()))
    now[0] = 112.0
    display.status("measuring", 0.0)
    now[0] = 114.0
    assert re.search(r"^measuring .* 0%  0:02 elapsed$", str(display.table()))


def test_a_map_that_is_counted_gives_the_same_and_says_after_each_how_many():
    shown = []
    assert list(counted(map, shown.append)(abs, [-1, -2, 3, 4])) == [1, 2, 3, 4]
    assert shown == [0.25, 0.5, 0.75, 1.0]


def test_no_color_leaves_the_colours_out(monkeypatch):
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert colour.search(_drawn(80)[1])
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(_drawn(80)[1])


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_are_broken_between_words_and_commands_are_not(width):
    file = io.StringIO()
    display = Terminal(Console(file=file, force_terminal=True, width=width, color_system=None))
    path = "/a/path/that/is/longer/than/most/terminals/are/wide/and/then/a/bit/more/of/it/until/it/is/longer"
    display.say(f"the run lies in {path} and this line has many more words than a terminal has columns " * 2)
    display.say("[red] is no colour here")
    command = f"rlgan sample {path} --count 5"
    display.say_command("sentences", command)
    *lines, what, pasted = file.getvalue().splitlines()
    assert [line for line in lines if len(line) > width and line != path] == []
    assert "[red] is no colour here" in lines
    assert (what, pasted) == ("sentences:", f"    {command}")


def test_in_a_job_a_line_comes_in_every_silence_and_none_while_others_come(monkeypatch):
    monkeypatch.setattr(terminal, "SILENCE", 0.5)
    file = io.StringIO()
    display = Terminal(Console(file=file))
    display.show(RUNNING)
    with display:
        until = time.monotonic() + 20
        while not file.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
    line = file.getvalue().splitlines()[0]
    assert re.match(r"training, 42%, 1:0\d elapsed, 1:\d\d left, test perplexity 5.1 .*, step 756 of 1,800, ", line)
    assert "\x1b" not in file.getvalue()
    said = len(file.getvalue().splitlines())
    time.sleep(1.2)  # none comes when the run has ended
    assert len(file.getvalue().splitlines()) == said
