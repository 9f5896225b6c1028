"""docs/python.md: every block of its code, one after the other."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "python.md"


def test_every_line_of_the_document_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) == text.count("```") / 2 == 10
    namespace = {}
    for block in blocks:
        # With the lines of the document, so that a failure names the one that it is at.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(code, str(DOCUMENT), "exec"), namespace)
    assert len(namespace["texts"]) == 3
    assert (tmp_path / "runs" / "b" / "metrics.jsonl").is_file()
