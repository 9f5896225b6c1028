"""Settings of the documentation site: `scripts/docs` builds it with Sphinx and MyST, by the theme furo.

The Markdown files are written to be read in a repository browser too. So links between those of the root and those of
this folder are links between files, and are turned here into links between pages.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import rlgan

DOCS = Path(__file__).parent
# Pages whose text lies in the root, where people look for it.
OF_THE_ROOT = {"index": "README.md", "contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}

project = "rlgan"
author = "The rlgan developers"
version = release = rlgan.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["notebooks/*"]
html_theme = "furo"
html_title = f"rlgan {release}"
html_theme_options = {"footer_icons": []}
html_static_path = ["style"]
html_css_files = ["wide.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
highlight_language = "none"
default_role = "code"  # as single backticks in Markdown, which our docstrings are written in
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"


class Help(SphinxDirective):
    """What a command of rlgan prints: a block `{rlgan-help}` has the command, asked while the site is built."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Ask the command that the block has, as `rlgan train text --help`."""
        program, *words = self.content[0].split()
        if program != "rlgan":
            raise self.error(f"{self.content[0]!r} is not a command of rlgan")
        done = subprocess.run(
            [sys.executable, "-m", "rlgan", *words],
            capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "88", "NO_COLOR": "1"},
        )  # fmt: skip
        self.env.note_reread()
        return [nodes.literal_block(done.stdout, done.stdout, language="text")]


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the text of a file of the root in the place of its page, and let links lead to pages."""
    text = source[0]
    if page in OF_THE_ROOT:
        file = DOCS.parent / OF_THE_ROOT[page]
        app.env.note_dependency(str(file))
        # What the page has besides are the tables of contents.
        contents = re.search(r"```\{toctree\}.*", text, re.DOTALL)
        text = file.read_text().replace("](docs/", "](") + "\n" + (contents[0] if contents else "")
    up = "../" * page.count("/")
    for name, file_name in OF_THE_ROOT.items():
        text = re.sub(rf"\]\((\.\./)*{re.escape(file_name)}", f"]({up}{name}.md", text)
    source[0] = text


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is above."""
    app.add_directive("rlgan-help", Help)
    app.connect("source-read", read)
