"""A run's discriminator as an environment of OpenEnv: text in, text and reward out, over HTTP and WebSocket.

OpenEnv is an extra: `pip install 'rlgan[openenv]'`. Its client is `openenv.GenericEnvClient`.
"""

import socket
import threading
from typing import Any
from uuid import uuid4

import gymnasium
import numpy as np
import uvicorn
from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field

from envs import DiscriminatorReward
from rlgan.api.scorer import Scorer


class TextAction(Action):  # type: ignore[misc] # where OpenEnv is not installed its classes are of any type
    """What is written next."""

    text: str = Field(description="Words to append to the text so far, separated by white space.")
    end: bool = Field(default=False, description="Whether the text ends behind them.")


class TextObservation(Observation):  # type: ignore[misc]
    """The text so far; `reward` is the sum of `rewards`."""

    text: str = Field(description="The text so far, as it was read: unknown words as <unk>.")
    rewards: list[float] = Field(default_factory=list, description="The reward of each token that was just written.")


class TextState(State):  # type: ignore[misc]
    """Where an episode is."""

    text: str = ""
    done: bool = False


class TextEnvironment(Environment):  # type: ignore[misc]
    """One text that is written in turns, of one word or of many.

    Args:
        scorer: reads the text.
        rule: of its log-odds, a name in `envs.REWARD_RULES`.
        lock: held while the scorer reads: environments of several sessions share it.

    Raises:
        ValueError: there is no such rule.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, scorer: Scorer, rule: str, lock: threading.Lock) -> None:
        super().__init__()
        self._scorer, self._lock = scorer, lock
        env = gymnasium.make("envs:rlgan/TextGeneration-v0", disable_env_checker=True, **scorer.env_kwargs)
        self._env = DiscriminatorReward(env, scorer, rule)
        # Over plain HTTP every request has an environment of its own, which nobody resets.
        self.reset()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        prompt: str = "",
        **unused: Any,  # noqa: ARG002
    ) -> TextObservation:
        """Start a text, with the words of `prompt` written, for which there is no reward.

        Raises:
            ValueError: the prompt leaves no room for a word.
        """
        prefix = self._scorer.tokens(prompt)
        with self._lock:
            self._env.reset(seed=seed, options={"prefix": prefix})
        self._written, self._turns, self._done = prefix.tolist(), 0, False
        self._episode_id = episode_id or str(uuid4())
        return self._observed([])

    def step(self, action: TextAction, timeout_s: float | None = None, **unused: Any) -> TextObservation:  # noqa: ARG002
        """Append words, and end the text where the action says so.

        Raises:
            ValueError: the text has ended, or has no room for so many words; nothing is written then.
        """
        if self._done:
            raise ValueError("the text has ended: call reset")
        tokens, stop = self._scorer.tokens(action.text).tolist(), self._scorer.env_kwargs["stop_token"]
        room = self._scorer.env_kwargs["max_length"] - len(self._written)
        if len(tokens) > room:
            raise ValueError(f"{len(tokens)} words came, and the text has room for {room}: give fewer")
        if stop in tokens:
            raise ValueError(f"{self._scorer.vocabulary[stop]} is not a word: give end=true")
        # A full page ends by itself.
        if action.end and stop is not None and len(tokens) < room:
            tokens.append(stop)
        rewards = []
        with self._lock:
            for token in tokens:
                _, reward, self._done, _, _ = self._env.step(np.int64(token))
                rewards.append(reward)
        self._written += tokens
        self._turns += 1
        self._done = self._done or action.end
        return self._observed(rewards)

    @property
    def state(self) -> TextState:
        """Where the episode is."""
        return TextState(episode_id=self._episode_id, step_count=self._turns, text=self._text, done=self._done)

    @property
    def _text(self) -> str:
        return self._scorer.text(np.array(self._written, np.int64))

    def _observed(self, rewards: list[float]) -> TextObservation:
        return TextObservation(text=self._text, rewards=rewards, reward=sum(rewards), done=self._done)


def app(scorer: Scorer, rule: str, sessions: int) -> Any:
    """The web application of a scorer's environment.

    Args:
        scorer: reads the texts.
        rule: of its log-odds, a name in `envs.REWARD_RULES`.
        sessions: how many clients may be connected at a time.
    """
    lock = threading.Lock()
    return create_fastapi_app(
        lambda: TextEnvironment(scorer, rule, lock),
        TextAction,
        TextObservation,
        max_concurrent_envs=sessions,
        state_cls=TextState,
    )


def serve(scorer: Scorer, rule: str, sessions: int, listening: socket.socket) -> None:
    """Serve a scorer's environment on a socket, until this process is asked to stop."""
    config = uvicorn.Config(app(scorer, rule, sessions), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])
