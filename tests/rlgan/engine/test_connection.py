"""Starting and joining a Ray, without one that runs."""

import socket

import pytest

from rlgan.engine import ray_connection
from rlgan.engine.ray_address import ask_head
from rlgan.engine.ray_connection import connect
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError


def test_an_address_that_is_given_after_the_first_import_counts(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(RunError, match=r"RAY_ADDRESS http://127\.0\.0\.1:8265 is that of a job server"):
        connect(EngineSettings(), shards=2)


def test_a_head_that_does_not_answer_may_come_back_until_shortly_before_ray_would_end_the_process(monkeypatch):
    # Seconds, what came of the question, and whether the run goes on: for 45 s after an answer, of Ray's 60.
    seen = [(1.0, "refuses", True), (44.0, "silent", True), (44.5, "answers", True)]
    seen += [(89.0, "refuses", True), (89.4, "silent", True), (89.6, "silent", False)]
    answers, times = iter(seen), iter(seen)
    monkeypatch.setattr(ray_connection, "ask_head", lambda _: next(answers)[1])
    monkeypatch.setattr(ray_connection.time, "monotonic", lambda: next(times)[0])
    monkeypatch.delenv("RAY_gcs_rpc_server_reconnect_timeout_s", raising=False)
    connection = ray_connection.Connection(joined_before=False, folder=None, others=frozenset(), head="10.0.0.5:6379")
    assert [connection.alive(asked_to_stop=False) for _ in seen] == [goes_on for _, _, goes_on in seen]


def test_who_is_asked_to_stop_does_not_wait_for_a_head_that_refuses(monkeypatch):
    monkeypatch.setattr(ray_connection, "ask_head", lambda _: "refuses")
    connection = ray_connection.Connection(joined_before=False, folder=None, others=frozenset(), head="10.0.0.5:6379")
    connection.answered = ray_connection.time.monotonic()
    assert [connection.alive(asked_to_stop=True) for _ in range(3)] == [True, True, False]


def test_a_head_that_listens_answers_and_another_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert ask_head(address) == "answers"
    assert ask_head(address) == "refuses"
    assert ask_head("head.invalid:6379") == "silent"
