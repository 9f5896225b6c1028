"""docs/python.md, docs/agents.md and the README: every block of their Python code, one after the other."""

import re
from pathlib import Path

import numpy as np

import rlgan
from envs import check_scorer

ROOT = Path(__file__).parents[3]


def _run(document, blocks_due):
    """Run the blocks of a document and give the names that they left."""
    text = document.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) == text.count("```python") == blocks_due
    namespace = {}
    for block in blocks:
        # With the lines of the document, so that a failure names the one that it is at.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(code, str(document), "exec"), namespace)
    return namespace


def test_every_line_of_the_document_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = _run(ROOT / "docs" / "python.md", 11)
    assert len(namespace["texts"]) == 3
    assert (tmp_path / "runs" / "b" / "metrics.jsonl").is_file()


def test_every_line_on_agents_runs_and_the_scorers_are_what_they_are_said_to_be(tmp_path, monkeypatch, small_settings):
    monkeypatch.chdir(tmp_path)
    # Of the form that a run has where nothing is typed.
    settings = small_settings | {"preset": "best", "steps": 20, "evaluate_every": 20}
    rlgan.train("text", **settings, run_dir="runs/first", say=lambda _: None)
    names = _run(ROOT / "README.md", 2)
    assert "env" in names
    assert "env" in _run(ROOT / "docs" / "agents.md", 1)
    vocab_size = len(names["scorer"].vocabulary)
    for name in ("rule", "model", "from_file"):
        check_scorer(names[name], vocab_size=vocab_size)
    # Probabilities of all tokens sum to 1; a token twice in a row loses; the file has the run's own discriminator.
    every, (first, second) = np.arange(vocab_size), (np.array([4, 5]), np.array([4, 4]))
    odds = names["model"].score(names["model"].start(vocab_size), every)[1]
    assert abs(np.exp(odds).mean() - 1) < 1e-4
    rule = names["rule"]
    assert rule.score(rule.score(rule.start(2), first)[0], second)[1].tolist() == [-2.0, 2.0]
    newest = rlgan.load_scorer("runs/first", "newest")
    np.testing.assert_array_equal(
        names["from_file"].score(names["from_file"].start(2), first)[1], newest.score(newest.start(2), first)[1]
    )
