"""A run for all tests of the Python API."""

import pytest

import rlgan

SMALL = {"preset": "paper", "length": 12, "batch_size": 16, "embedding_size": 16, "hidden_size": 16, "workers": 0}
SMALL |= {"sinks": ["json_lines"]}


@pytest.fixture(scope="session")
def small_settings():
    """The settings of the small recipe of the command line's tests, in this process."""
    return SMALL


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of six steps on the stories, with its callbacks' calls."""
    calls = {"step": [], "evaluation": [], "lines": []}
    run = rlgan.train(
        "text",
        **SMALL,
        steps=6,
        evaluate_every=3,
        run_dir=tmp_path_factory.mktemp("api") / "run",
        on_step=lambda step, metrics: calls["step"].append((step, metrics)),
        on_evaluation=lambda step, metrics: calls["evaluation"].append((step, metrics)),
        say=calls["lines"].append,
    )
    return run, calls


@pytest.fixture(scope="session")
def run(trained):
    """The same run alone."""
    return trained[0]
