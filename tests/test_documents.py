"""The documents: their commands are ones that there are, the tutorials run as they stand, and the site can be built."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rlgan.cli.main import COMMANDS, main
from rlgan.task import TASKS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A command in a block or in a sentence; its line may go on behind a backslash, or in a sentence on the next one.
TYPED = re.compile(
    rf"""(?:^\ *|`|\$\ ) rlgan\ (
        (?:{"|".join(COMMANDS)}) \b
        (?: [^`\#\n] | \\\n | (?<=[^`\#\n]) \n (?=[^`\n]*`) )*
    )""",
    re.MULTILINE | re.VERBOSE,
)


def _commands(document):
    """The words behind `rlgan` of each command in a document, a `--` and what follows as a command of `rlgan train`."""
    for found in TYPED.finditer(document.read_text()):
        words = found[1].replace("\\\n", " ").split()
        here = words.index("--") if "--" in words else len(words)
        yield words[:here]
        after = words[here + 1 :]
        if after:
            yield after if after[0] == "train" else ["train", *after]


def _page(words):
    """What has help of its own: `train image`, `reproduce table1`."""
    own = {"train": set(TASKS), "reproduce": {"table1", "scratch"}}.get(words[0], set())
    return tuple(words[:2] if words[1:2] and words[1] in own else words[:1])


def _help(page, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*page, "--help"])
    return capsys.readouterr().out


def test_every_flag_in_the_documents_is_one_that_there_is(capsys):
    commands = [(document, words) for document in DOCUMENTS for words in _commands(document)]
    # The flags of a task of one's own are those of a file in the document.
    commands = [(document, words) for document, words in commands if not any(":TASK" in word for word in words)]
    pages = {page: _help(page, capsys) for page in {_page(words) for _, words in commands}}
    assert len(commands) > 100
    unknown = [
        f"{document.relative_to(ROOT)}: {flag} of rlgan {' '.join(words)}"
        for document, words in commands
        for flag in (word.partition("=")[0] for word in words if re.match("--[a-z]", word))
        if flag != "--help" and not re.search(rf"{re.sub('^--no-', '--', flag)}\b", pages[_page(words)])
    ]
    assert not unknown, "\n".join(unknown)


def _pictures(folder):
    """A folder of pictures of noise, such as `$FACES` stands for."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(80):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return str(folder)


def _shortened(script):
    """The commands of a tutorial with bounds of a few steps."""
    script = re.sub(r"--steps \d+", "--steps 4", script)
    script = re.sub(r"^(.*)--steps 4(.*--resume.*)$", r"\1--steps 6\2", script, flags=re.MULTILINE)
    script = re.sub(r"checkpoints/\d+", "checkpoints/4", script)
    # What else takes long: a Gaussian's recipe has a length of its own.
    script = re.sub(r"^rlgan train gaussian", r"\g<0> --steps 20", script, flags=re.MULTILINE)
    shorter = {"--seeds 3": "--seeds 2", "--count 2000": "--count 100", "--faces 4000": "--faces 256"}
    for words, fewer in shorter.items():
        script = script.replace(words, fewer)
    return script


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", TUTORIALS, ids=lambda document: document.stem)
def test_a_tutorial_runs_as_it_stands_but_for_its_length(document, tmp_path, typed, monkeypatch):
    blocks = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rlgan").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m rlgan \"$@\"\n")
    (tmp_path / "bin" / "rlgan").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FACES", _pictures(tmp_path / "faces"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for line in _shortened("\n".join(blocks)).splitlines():
        if re.match("rlgan [^>|&]*$", line) and "--workers 2" not in line:
            done = typed(*shlex.split(os.path.expandvars(line))[1:])  # here, where torch is loaded already
        else:
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if "the same bits" in line:
            assert done.stdout == "the same bits\n"


class _Outside(HTMLParser):
    """What a page makes a browser ask others for: anything but links that people click on."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            clicked = tag == "a" or (tag == "link" and dict(attributes).get("rel") in ("canonical", "search", "index"))
            if name in ("src", "href", "data", "srcset") and not clicked and re.match("(https?:)?//", value or ""):
                self.found.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `scripts/docs` does."""
    pytest.importorskip("furo", reason="needs Sphinx, MyST and furo: pip install 'rlgan[docs]'")
    folder = tmp_path_factory.mktemp("site")
    line = next(line for line in (ROOT / "scripts" / "docs").read_text().splitlines() if "sphinx-build" in line)
    _, *options = line.replace('"$folder"', str(folder)).split()
    assert "--fail-on-warning" in options
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_the_site_has_every_document_and_asks_nobody_else_for_anything(site):
    for document in (ROOT / "docs").rglob("*.md"):
        assert (site / document.relative_to(ROOT / "docs").with_suffix(".html")).is_file(), document
    for page in site.rglob("*.html"):
        outside = _Outside()
        outside.feed(page.read_text())
        assert not outside.found, page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(https?:)?//", sheet.read_text()), sheet


@pytest.mark.slow
def test_the_site_has_the_help_as_it_is_printed_and_the_docstrings(site, capsys):
    commands = re.sub("<[^>]*>", "", (site / "reference" / "commands.html").read_text())
    for page in (["train", "text"], ["evaluate"], ["reproduce", "table1"]):
        assert f"usage: {' '.join(_help(page, capsys).split()[1:3])}" in commands
    assert "--generator-learning-rate" in commands
    python = re.sub("<[^>]*>", "", (site / "reference" / "python.html").read_text())
    for name in ("rlgan.train", "rlgan.load_scorer", "DiscriminatorReward", "RolloutMaker"):
        assert name in python
    assert "Train one run, to its end or until a callback stops it." in python


def _asked_for(page, folder):
    """What a browser shows of a page, and the addresses that the page made it ask for."""
    log = folder / "log.json"
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--virtual-time-budget=5000", "--dump-dom",
            f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # The browser's own requests, for updates say, are of no site.
    asked = [event["url"] for event in events if "site=file://" in event.get("site_for_cookies", "")]
    return " ".join(done.stdout.split()), asked


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium on the path")
def test_a_browser_that_opens_the_site_asks_nobody_for_anything(site, tmp_path):
    shown, asked = _asked_for(site / "index.html", tmp_path)
    assert "Results are bit-identical for any number of workers" in shown
    assert asked == []
    (tmp_path / "page.html").write_text("<script src='http://127.0.0.1:9/a.js'></script>")
    assert set(_asked_for(tmp_path / "page.html", tmp_path)[1]) == {"http://127.0.0.1:9/a.js"}
