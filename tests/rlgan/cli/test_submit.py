"""Jobs on a real cluster that `rlgan cluster` starts; each ends what it started by process id."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from rlgan.cli import submit
from rlgan.cli.main import main
from rlgan.cli.submit import job_of

BIN = Path(sys.executable).parent
PATIENCE = 240  # seconds for anything that is waited for: the machine may be loaded


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory):
    """A home without a token, as of somebody who has never used Ray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE"):
            patch.delenv(name, raising=False)
        # Nobody answers there, and to loopback nobody has to.
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        yield


@contextmanager
def _local_cluster(*words, stopped_by=signal.SIGTERM):
    """Type `rlgan cluster WORDS`; gives the process and what it said, and ends it as a person does."""
    typed = [sys.executable, "-m", "rlgan", "cluster", *map(str, words)]
    process = subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        assert lines[-1].startswith("Ctrl-C"), lines
        yield process, "".join(lines)
    finally:
        process.send_signal(stopped_by)
        process.wait(PATIENCE)
        process.stdout.close()


def _ray_processes(root):
    """Of a cluster, whoever their parent is: its directory is in their words, or their parent is one."""
    family = {p.pid for p in psutil.Process(root).children(recursive=True)}
    folders = {word for pid in family for word in _words(pid) if word.startswith("--temp-dir=")}
    (folder,) = {word.partition("=")[2] for word in folders}
    return [psutil.Process(pid) for pid in family], Path(folder)


def _words(pid):
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.mark.slow
def test_a_local_cluster_listens_on_loopback_alone_wants_a_token_and_leaves_nothing():
    shared_memory = set(os.listdir("/dev/shm"))
    with _local_cluster(2, "--cpus", 2, 1, "--gpus", 0, 3, stopped_by=signal.SIGINT) as (process, said):
        family, folder = _ray_processes(process.pid)
        ours = {p.pid for p in family}
        sockets = [c for c in psutil.net_connections() if c.status == psutil.CONN_LISTEN and c.pid in ours]
        assert len(sockets) > 10
        assert {c.laddr.ip for c in sockets} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
        assert folder.is_dir()

        attach = dict(re.findall(r"(RAY_\w+)=(\S+)", said))
        ask = "import ray; ray.init(); print({n['Resources']['CPU']: n['Resources'].get('GPU') for n in ray.nodes()})"
        found, refused = (
            subprocess.run(
                [sys.executable, "-c", ask],
                capture_output=True,
                text=True,
                env=os.environ | attach | changes,
                timeout=PATIENCE,
            )
            for changes in ({}, {"RAY_AUTH_TOKEN": "0" * 64})
        )
        assert found.stdout.strip() in ("{2.0: None, 1.0: 3.0}", "{1.0: 3.0, 2.0: None}"), found.stderr
        assert refused.returncode != 0
        assert "token" in refused.stderr
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert process.returncode == 0
    assert not folder.exists()
    assert set(os.listdir("/dev/shm")) <= shared_memory


@pytest.mark.parametrize("words", [["0"], ["2", "--cpus", "1", "1", "1"], ["2", "--gpus", "-1"]])
def test_a_cluster_that_makes_no_sense_is_refused(words):
    typed = [sys.executable, "-m", "rlgan", "cluster", *words]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("rlgan: error: ")
    assert len(done.stderr.splitlines()) == 1


def _typed(address, *words):
    return [sys.executable, "-m", "rlgan", "submit", "--address", address, "--", "train", *map(str, words)]


def _submitted(address, *words):
    return subprocess.run(_typed(address, *words), capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.slow
def test_a_job_is_stopped_whole_goes_on_when_submitted_again_and_its_exit_code_is_its_own(
    rlgan, small_words, tmp_path, digest
):
    run = tmp_path / "run"
    with _local_cluster(3, "--cpus", 2, 1, 1) as (_, said):
        address = re.search(r"http://\S+", said)[0]
        # Three actors on nodes of two, one and one CPUs.
        words = [*small_words, "--workers", 2, "--checkpoint-every", 100_000, "--run-dir", run]

        stopped = subprocess.Popen(
            _typed(address, *words, "--steps", 100_000), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        lines = []
        for line in stopped.stdout:
            lines.append(line)
            if line.startswith("step 0"):
                break
        job = re.search(r"rlgan-[0-9a-f]{12}", "".join(lines))[0]
        subprocess.run(
            [BIN / "ray", "job", "stop", "--address", address, job],
            check=True, capture_output=True, env=os.environ | submit.AUTHENTICATION | {"no_proxy": "127.0.0.1"},
                timeout=PATIENCE,
        )  # fmt: skip
        rest = stopped.stdout.read()
        assert stopped.wait(PATIENCE) == 143, rest
        assert "stopped by SIGTERM and saved" in rest
        (step,) = [int(entry.name) for entry in (run / "checkpoints").iterdir()]

        last = step + 20
        again = _submitted(address, *words, "--steps", last)
        assert again.returncode == 0, again.stdout
        assert f"going on from step {step}" in again.stdout
        assert "on an attached Ray" in again.stdout

        wrong = _submitted(address, *words, "--steps", -1)
        assert wrong.returncode == 2
        assert "rlgan: error: --steps is -1" in wrong.stdout
    assert rlgan("train", *small_words, "--workers", 0, "--steps", last, "--run-dir", tmp_path / "calm").returncode == 0
    assert digest(run, last) == digest(tmp_path / "calm", last)


def test_a_job_gets_what_it_needs_to_save_and_to_go_on():
    line = job_of("http://there:1", "name", ["train", "text", "--run-dir", "/shared/a b"]).line
    assert line[:7] == ["ray", "job", "submit", "--address", "http://there:1", "--submission-id", "name"]
    assert line[line.index("--") + 1 :] == [
        "python", "-m", "rlgan", "train", "text", "--run-dir", "/shared/a b", "--resume", "auto"
    ]  # fmt: skip
    environment = json.loads(line[line.index("--runtime-env-json") + 1])
    # Ray's own 3 s are too few, and an exclude without a slash would take rlgan/runs away too.
    assert int(environment["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"]) > 30
    assert {"/.git", "/.venv", "/data", "/runs"} <= set(environment["excludes"])
    assert (Path(line[line.index("--working-dir") + 1]) / "rlgan" / "runs").is_dir()


def test_where_it_is_installed_the_package_alone_is_sent_along(tmp_path, monkeypatch):
    for package in ("rlgan", "envs", "torch"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.setattr(submit, "ROOT", tmp_path)
    line = job_of("http://there:1", "name", ["train", "--run-dir", "/shared/run"]).line
    sent = Path(line[line.index("--working-dir") + 1])
    assert sorted(entry.name for entry in sent.iterdir()) == ["envs", "rlgan"]


def test_code_of_the_current_directory_goes_with_the_job(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules_to_submit").mkdir()
    (tmp_path / "rules_to_submit" / "steep.py").write_text("from helper_to_submit import double\nrule = double\n")
    (tmp_path / "helper_to_submit.py").write_text("def double(log_odds, before):\n    return 2 * log_odds\n")
    (tmp_path / "unrelated.txt").write_text("x")
    words = ["train", "--reward=rules_to_submit.steep:rule", "--device", "cuda:1", "--run-dir", "/shared/run"]
    line = job_of("http://there:1", "name", words).line
    sent = Path(line[line.index("--working-dir") + 1])
    assert sorted(str(file.relative_to(sent)) for file in sent.rglob("*.py") if "submit" in str(file)) == [
        "helper_to_submit.py", "rlgan/cli/submit.py", "rules_to_submit/steep.py"
    ]  # fmt: skip
    assert not (sent / "unrelated.txt").exists()
    words = ["submit", "--address", "http://h:1", "--", "train", "--reward", "rules_to_submit.steep:rul", *words[-2:]]
    assert main(words) == 2
    assert "the module rules_to_submit.steep has no rul. Did you mean rules_to_submit.steep:rule?" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "due"),
    [
        (["--address", "http://h:1"], "nothing to submit"),
        (["--address", "http://h:1", "--", "evaluate", "/r"], "evaluate can't be submitted"),
        (["--address", "http://h:1", "--", "train"], "--run-dir is missing"),
        (["--address", "http://h:1", "--", "train", "--run-dir", "runs/a"], "--run-dir runs/a is relative"),
        (["--address", "http://h:1", "--", "train", "--run-dir=/r", "--data", "ptb/"], "--data ptb/ is relative"),
        (["--address", "http://h:1", "--", "train", "--run_dir", "runs/a"], "--run-dir runs/a is relative"),
        (["--address", "http://h:1", "--", "train", "--run-dir=~/a"], "as HOME/a, or a URL"),
        (["--address", "http://h:1", "--", "train", "--run-dir=~nobody-is-called-so/a"], "is relative"),
        (["--", "train", "--run-dir", "/r"], "--address is missing"),
        (
            ["--address", "http://me:secret@h:1", "--", "train", "--run-dir", "/r"],
            "--address contains a user name or a password",
        ),
        (["--address", "h:6379", "--", "train", "--run-dir", "/r"], "--address is h:6379"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_is_sent(capsys, words, due):
    assert main(["submit", *words]) == 2
    error = capsys.readouterr().err
    assert due.replace("HOME", os.path.expanduser("~")) in error
    assert len(error.splitlines()) == 1


def test_where_following_breaks_the_job_that_goes_on_is_named(monkeypatch, capsys):
    from ray import job_submission

    class Client:
        def __init__(self, address):
            pass

        def submit_job(self, *, entrypoint, submission_id, runtime_env):
            sent.append((entrypoint, submission_id, runtime_env["working_dir"]))

        async def tail_job_logs(self, _):
            yield "step 0: all is well\n"
            raise RuntimeError("WebSocket connection closed unexpectedly\nwith close code 1006")

        def get_job_info(self, _):
            return SimpleNamespace(status=job_submission.JobStatus.RUNNING)

    sent = []
    monkeypatch.setattr(job_submission, "JobSubmissionClient", Client)
    # It is asked first whether it is there at all.
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main(["submit", "--address", address, "--", "train", "--run-dir", "/r"]) == 1
    ((entrypoint, name, working_directory),) = sent
    assert entrypoint == "python -m rlgan train --run-dir /r --resume auto"
    assert (Path(working_directory) / "rlgan" / "runs").is_dir()
    said = capsys.readouterr().out.splitlines()[1:]
    ray = rf"RAY_AUTH_MODE=token \S*ray job {{}} --address {address} {name}"
    for line, due in zip(
        said,
        [
            f"submitted as {name}; Ctrl-C ends what is shown here, and not the job",
            f"to follow it: {ray.format('logs --follow')}",
            f"to let it save, and end it: {ray.format('stop')}",
            "step 0: all is well",
            "what the job says can't be followed any more: WebSocket connection closed unexpectedly",
            "the job goes on",
        ],
        strict=True,
    ):
        assert re.fullmatch(due, line)


def test_a_bare_job_does_not_write_into_the_directory_that_goes_with_it(rlgan, small_words, tmp_path):
    there = {"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}  # as Ray has it for a job
    done = rlgan("train", *small_words, "--run-dir", "run", environment=there, cwd=tmp_path)
    assert done.returncode == 2
    assert "--run-dir run is relative" in done.stderr
    assert not list(tmp_path.iterdir())
