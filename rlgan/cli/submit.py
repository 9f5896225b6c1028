"""Training as a job on a Ray cluster: what `ray job submit` needs so that it can be stopped, and submitted again."""

import asyncio
import atexit
import http.client
import json
import logging
import os
import re
import shlex
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.paths import beside_python
from rlgan.errors import RunError, UsageError
from rlgan.settings import Metavar, check_address, is_import, modules_found_here, resolve
from rlgan.settings.choices import OWN_PACKAGES

if TYPE_CHECKING:  # Ray takes seconds to import
    from ray.job_submission import JobDetails, JobSubmissionClient

# What a cluster asks for by itself, and `ray job` does not: without it, it fails for want of a token.
AUTHENTICATION = {"RAY_AUTH_MODE": "token"}
RUNTIME_ENV = {
    # With the slash, only the folders at the top are left out: rlgan/runs must go along.
    "excludes": ["/.git", "/.venv", "/data", "/runs", "/docs", "/tests"],
    # Seconds between `ray job stop` and SIGKILL; Ray's own 3 are too few to save in. Who has saved ends at once.
    "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "120"},
}
# Seconds for the job server to answer.
SERVER_LIMIT = 30
PROXY_REFUSES, FIRST_SERVER_ERROR = 407, 500
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Options:
    """The cluster: Ctrl-C ends only the output, not the job; `ray job stop` lets the run save."""

    address: Annotated[str | None, Metavar("URL")] = None
    """Of the cluster's job server, as http://host:8265. By default what RAY_API_SERVER_ADDRESS says."""


def working_directory(words: Sequence[str] = ()) -> Path:
    """What is sent along: this checkout, or a copy of the package alone with what the words name of this directory.

    Args:
        words: of `rlgan train ...`, which may name `module:object`.

    Raises:
        UsageError: what they name of this directory can't be imported.
    """
    here, files = Path.cwd(), _own_files(words)
    if (ROOT / "pyproject.toml").is_file() and (not files or here == ROOT):
        return ROOT
    folder = Path(tempfile.mkdtemp(prefix="rlgan-job-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for package in OWN_PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in files:
        copied = folder / file.relative_to(here)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copied)
    return folder


def _own_files(words: Sequence[str]) -> list[Path]:
    """The files of this directory that are imported where words name `module:object` of it."""
    for word in words:
        name = word.rpartition("=")[2]
        top = Path.cwd() / re.split("[.:]", name)[0]
        # `cuda:1` names no module.
        if is_import(name) and (top.is_dir() or top.with_suffix(".py").is_file()):
            resolve(name, {})
    files = (Path(str(module.__file__)) for module in modules_found_here())
    # A process that is not a command may have imported such modules elsewhere before.
    return [file for file in files if file.is_relative_to(Path.cwd())]


@dataclass(frozen=True)
class Job:
    """What is submitted."""

    address: str  # of the job server
    submission: str  # its name
    entrypoint: list[str]  # words
    working_directory: Path  # which is sent along

    @property
    def line(self) -> list[str]:
        """The words that submit it by Ray's own command."""
        where = ("--address", self.address, "--submission-id", self.submission)
        sent = ("--working-dir", str(self.working_directory), "--runtime-env-json", json.dumps(RUNTIME_ENV))
        return ["ray", "job", "submit", *where, *sent, "--", *self.entrypoint]


def job_of(address: str, submission: str, words: Sequence[str]) -> Job:
    """The job that trains a run.

    Args:
        address: of the job server.
        submission: the job's name.
        words: of `rlgan train ...`.

    Raises:
        UsageError: they are of something else, or name no place that every node can see.
    """
    if not words or words[0] != "train":
        raise UsageError(f"{' '.join(words[:1]) or 'nothing'} can't be submitted: give `-- train ...`")
    places = {flag: _value(words, flag) for flag in ("--run-dir", "--data", "--cache")}
    if places["--run-dir"] is None:
        raise UsageError("--run-dir is missing: the job runs in a directory of its own, which goes when it ends")
    for flag, place in places.items():
        check_address(flag, place or "")
        relative = place is not None and "://" not in place and not os.path.isabs(place)
        # A plain word is the name of data that is built in.
        if relative and (flag == "--run-dir" or "/" in str(place) or "." in str(place)):
            raise UsageError(
                f"{flag} {place} is relative: the job runs in a directory of its own, so give an absolute path that "
                f"the cluster's nodes see, as {Path(os.path.expanduser(str(place))).absolute()}, or a URL"
            )
    # A job that is submitted again must go on, and the first time there is nothing to go on from.
    resume = [] if any(word.partition("=")[0] == "--resume" for word in words) else ["--resume", "auto"]
    return Job(address, submission, ["python", "-m", "rlgan", *words, *resume], working_directory(words))


PAGE = Page(
    program="rlgan submit",
    arguments="[--address URL] -- train ...",
    summary="Submit `rlgan train` to a Ray cluster, follow what it says, and end with its exit code",
    examples=("rlgan submit --address http://head:8265 -- train --workers 8 --shards 8 --run-dir /shared/run",),
)


def submit(typed: list[str]) -> int:
    """`rlgan submit [--address URL] -- train ...`; gives the job's exit code, or 143 where somebody stopped it.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: nothing is known of the job.
    """
    ours, dashes, words = _split(typed)
    if not dashes and "train" in ours:
        raise UsageError("two hyphens come before what is submitted: type rlgan submit --address URL -- train ...")
    options = parse(Options, ours, PAGE)
    address = options.address or os.environ.get("RAY_API_SERVER_ADDRESS")
    # A name of our own, so that the job can be followed and asked about also where
    # `ray job submit` is interrupted before it prints one.
    submission = f"rlgan-{uuid.uuid4().hex[:12]}"
    check_address("--address", address or "")
    if not address or not address.startswith(("http://", "https://")):
        raise UsageError(f"--address is {address or 'missing'}: give the cluster's job server, as http://host:8265")
    if not dashes:
        raise UsageError("nothing to submit: give `-- train ...`")
    return _run(job_of(address, submission, words))


def shown(words: Mapping[str, str] | Sequence[str]) -> str:
    """Settings of the environment, or words, as one would type them.

    Example:
        >>> shown(["--run-dir", "my runs"]), shown({"RAY_AUTH_MODE": "token"})
        ("--run-dir 'my runs'", 'RAY_AUTH_MODE=token')
    """
    typed = [f"{name}={value}" for name, value in words.items()] if isinstance(words, Mapping) else words
    return " ".join(shlex.quote(word) for word in typed)


def _check_job_server(address: str) -> None:
    """Check that a job server answers; a proxy of the environment is gone past where it can't know the server.

    Raises:
        RunError: none answers.
    """
    host = urllib.parse.urlsplit(address).hostname or ""
    if host == "localhost" or (host.replace(".", "").isdecimal() and host.startswith("127.")) or host == "::1":
        # Under both names: which one counts differs from library to library.
        for name in ("no_proxy", "NO_PROXY"):
            os.environ[name] = ",".join(filter(None, (os.environ.get(name), host)))
    proxy = urllib.request.getproxies().get(urllib.parse.urlsplit(address).scheme)
    through = f" through the proxy {proxy}" if proxy and not urllib.request.proxy_bypass(host) else ""
    hint = f" (no_proxy={host} goes past the proxy)" if through else ""
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/api/version", timeout=SERVER_LIMIT).close()
    except urllib.error.HTTPError as error:
        # It answers, if only that it wants a token; but what a proxy can't do it says in this way too.
        if through and (error.code == PROXY_REFUSES or error.code >= FIRST_SERVER_ERROR):
            raise RunError(f"{address} can't be reached{through}: {error}{hint}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise RunError(f"no job server answers at {address}{through}: {reason}{hint}") from error


def _run(job: Job) -> int:
    _check_job_server(job.address)
    for name, value in AUTHENTICATION.items():
        os.environ.setdefault(name, value)
    # For who wants to do without us. We ask Ray in this process instead: its command would give hints that lack the
    # address and the token, and repeat the end of the job's log.
    print(f"{shown(AUTHENTICATION)} {beside_python('ray')} {shown(job.line[1:])}", flush=True)

    # Late: what is refused above needs no Ray, which takes seconds to import.
    from aiohttp import ClientError
    from ray.exceptions import RayError
    from ray.job_submission import JobSubmissionClient

    unanswered = (ConnectionError, RuntimeError, RayError, ClientError)  # RayError: no token here
    try:
        with _without_logging():
            client = JobSubmissionClient(job.address)
            client.submit_job(
                entrypoint=shlex.join(job.entrypoint),
                submission_id=job.submission,
                runtime_env=RUNTIME_ENV | {"working_dir": str(job.working_directory)},
            )
    except unanswered as error:
        raise RunError(f"the job can't be submitted: {_first_line(error)}") from error
    print(f"submitted as {job.submission}; Ctrl-C ends what is shown here, and not the job", flush=True)
    _say_how_to_follow(job.address, job.submission)
    try:
        with _without_logging():
            asyncio.run(_show_log(client, job.submission))
    except KeyboardInterrupt:
        print("the job goes on", flush=True)
        raise
    except unanswered as error:
        print(f"what the job says can't be followed any more: {_first_line(error)}", flush=True)
    try:
        return _exit_code(client.get_job_info(job.submission))
    except unanswered as error:
        raise RunError(f"nothing is known of the job: {_first_line(error)}") from error


@contextmanager
def _without_logging() -> Iterator[None]:
    """Leave out what Ray logs of every file that is not sent, and of connections that are closed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


async def _show_log(client: "JobSubmissionClient", submission: str) -> None:
    """Print what a job says, until it ends."""
    async for text in client.tail_job_logs(submission):
        print(text, end="", flush=True)


def _exit_code(job: "JobDetails") -> int:
    """What this process ends with, of a job; says it where that is not told by the job itself."""
    from ray.job_submission import JobStatus

    if not job.status.is_terminal():
        print("the job goes on", flush=True)
        return 1
    if job.status == JobStatus.STOPPED:
        print("the job was stopped", flush=True)
        return 143
    if job.status == JobStatus.SUCCEEDED:
        return 0
    if job.driver_exit_code is None:
        print(f"the job failed: {' '.join((job.message or 'no reason is known').split())}", flush=True)
    # A driver that never started, or was lost with its node, has no exit code: that is a failure too.
    return job.driver_exit_code or 1


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _say_how_to_follow(address: str, submission: str) -> None:
    which = ("--address", address, submission)
    for what, words in (("follow it", ("logs", "--follow")), ("let it save, and end it", ("stop",))):
        print(f"to {what}: {shown(AUTHENTICATION)} {beside_python('ray')} {shown(['job', *words, *which])}", flush=True)


def _split(words: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    place = list(words).index("--") if "--" in words else len(words)
    return list(words[:place]), place < len(words), list(words[place + 1 :])


def _value(words: Sequence[str], flag: str) -> str | None:
    """What a flag was given, the last time."""
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        # `rlgan train` takes --run_dir, too.
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            found = value if equals else following
    return found
