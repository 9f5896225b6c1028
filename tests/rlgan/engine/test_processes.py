"""Processes that this one starts."""

import os
import signal

import pytest

from rlgan.engine.processes import signals_later


def test_a_signal_that_comes_while_something_is_started_is_handled_at_the_end():
    handled, done = [], []

    def end(number, _):
        handled.append(number)
        raise KeyboardInterrupt

    def start():
        with signals_later():
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            done.append(list(handled))

    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
        assert (done, handled) == ([[]], [signal.SIGUSR1])
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
