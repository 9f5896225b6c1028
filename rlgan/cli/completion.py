"""`rlgan completion SHELL`: prints what completes words of `rlgan` in a shell, by tyro."""

from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Literal, Union

import tyro
from tyro.conf import OmitSubcommandPrefixes, Positional, arg, subcommand

from rlgan.cli import cluster, evaluate, reproduce, sample, serve_env, submit
from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.tasks import kind_of_operation
from rlgan.cli.train import kind_of_training
from rlgan.task import TASKS, find_task


@dataclass(frozen=True)
class Options:
    """The shell."""

    shell: Annotated[Positional[Literal["bash", "zsh", "fish"]], arg(metavar="SHELL")]
    """bash, zsh or fish."""


PAGE = Page(
    program="rlgan completion",
    arguments="SHELL",
    summary="Print a script that completes commands, flags and files of `rlgan` in a shell",
    examples=(
        "source <(rlgan completion bash)                    # in this shell; or, for every one, in ~/.bashrc",
        "rlgan completion fish > ~/.config/fish/completions/rlgan.fish",
        'rlgan completion zsh > "${fpath[1]}/_rlgan"',
    ),
)


def completion(words: list[str]) -> None:
    """Print the script of a shell.

    Raises:
        UsageError: what was typed makes no sense.
    """
    options = parse(Options, words, PAGE)
    tyro.cli(_all_commands(), prog="rlgan", args=["--tyro-print-completion", options.shell])


def _all_commands() -> Any:
    """All commands as one program, as tyro takes it: those of this command line are read one by one."""
    tasks = [find_task(name) for name in TASKS]
    training = _one_of({task.name: kind_of_training(task) for task in tasks})
    return _one_of(
        {
            "train": make_dataclass("Train", [("task", training)]),
            "evaluate": kind_of_operation("evaluate", evaluate.EvaluateSettings, tasks),
            "sample": kind_of_operation("sample", sample.SampleSettings, tasks),
            "reproduce": reproduce.Reproduce,
            "serve-env": serve_env.ServeSettings,
            "submit": submit.Options,
            "cluster": cluster.Options,
            "completion": Options,
        }
    )


def _one_of(kinds: dict[str, type[Any]]) -> Any:
    named = [Annotated[kind, subcommand(name, prefix_name=False)] for name, kind in kinds.items()]
    union: Any = Union[tuple(named)]  # noqa: UP007
    return Annotated[union, OmitSubcommandPrefixes]
