"""`rlgan serve-env RUN`: a run's discriminator as an environment for agents that speak OpenEnv."""

import contextlib
import socket
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.errors import RunError, UsageError
from rlgan.settings import AtLeast, Between, Checkpoint, TypedPath, check, printable
from rlgan.task import ScorerForm


@dataclass(frozen=True)
class ServeSettings:
    """The run, and how it is served."""

    run: Annotated[Positional[str], TypedPath(), arg(metavar="RUN")]
    """The run's directory or address: of a text run that trained a discriminator."""
    port: Annotated[int, Between(0, 65535)] = 8000
    """The port on this machine (127.0.0.1) to listen on; 0: one that is free."""
    rule: str = "probability"
    """The reward of a token as a function of the discriminator's log-odds: a name that rlgan train --reward has."""
    form: ScorerForm = "uniform"
    """A structured discriminator's log-odds: against tokens drawn uniformly, or against its generator's."""
    sessions: Annotated[int, AtLeast(1)] = 16
    """How many clients may be connected at a time."""
    checkpoint: Checkpoint = "best"
    """Which checkpoint: the newest whole one, or the best by the task's selection metric."""
    trust_imports: bool = False
    """Import code from outside of rlgan that the run's config.json names."""


PAGE = Page(
    program="rlgan serve-env",
    arguments="RUN [--FLAG VALUE ...]",
    summary="Serve a run's discriminator as an environment of OpenEnv: text in, text and reward out",
    first=("run", "port", "rule"),
    examples=(
        "rlgan serve-env runs/a --port 8000                                  # until Ctrl-C",
        'curl localhost:8000/step --json \'{"action": {"text": "the cat sat .", "end": true}}\'',
    ),
)


def serve_env(words: list[str]) -> None:
    """Serve a run's discriminator on this machine, until Ctrl-C or SIGTERM.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the run can't be read, the port is taken, or OpenEnv is not installed.
    """
    options: ServeSettings = parse(ServeSettings, words, PAGE)
    check(options)
    # Late, as in the other commands: --help and an error in a flag need not wait for torch.
    from envs import REWARD_RULES

    if options.rule not in REWARD_RULES:
        raise UsageError(f"--rule {options.rule} is not a reward rule: give one of {', '.join(REWARD_RULES)}")
    try:
        from rlgan.api.serving import serve
    except ModuleNotFoundError as error:
        raise RunError(
            f"serve-env needs OpenEnv, and there is no module {error.name}: pip install 'rlgan[openenv]', best in an "
            "environment of its own"
        ) from None
    from rlgan.api.scorer import load_scorer

    scorer = load_scorer(options.run, options.checkpoint, form=options.form, trust_imports=options.trust_imports)
    with _listening(options.port) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        print(printable(f"serving {options.run} at {address} until Ctrl-C: /reset, /step, /state, /ws"), flush=True)
        # The server ends in order, and then raises again what asked it to.
        with contextlib.suppress(KeyboardInterrupt):
            serve(scorer, options.rule, options.sessions, listening)


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise RunError(f"--port {port} can't be had ({error.strerror}): give another, or 0 for a free one") from None
