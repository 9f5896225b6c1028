"""Ray of our own, started as the surroundings please: each of these failed, or trained on something else, once."""

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rlgan.engine.machine import check_machine, small_shared_memory
from rlgan.engine.processes import usable_cpus
from rlgan.engine.ray_address import check_answers
from rlgan.engine.ray_connection import temporary_folder
from rlgan.errors import RunError

ON_RAY = ["train", "--workers", "1", "--steps", "1", "--batch-size", "8", "--shards", "2", "--length", "8"]
ON_RAY += ["--hidden-size", "8", "--embedding-size", "8", "--sinks", "json_lines"]


@pytest.fixture
def console(tmp_path):
    """Run the console script's `main`: the current directory is not on the driver's path."""

    def run(
        *words,
        environment=None,
        cwd=tmp_path,
        code="import sys; from rlgan.cli import main; sys.exit(main())",
        before=(),
    ):
        typed = [*before, sys.executable, "-P", "-c", code, *map(str, words)]
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        return subprocess.run(
            typed, capture_output=True, text=True, timeout=600, cwd=cwd, env=surroundings | (environment or {})
        )

    return run


# Says which folder Ray gets: others may come and go beside it.
NOTES_ITS_FOLDER = """
import sys
from pathlib import Path
from rlgan.cli import main
from rlgan.engine import ray_connection

temporary_folder = ray_connection.temporary_folder

def noted():
    folder = temporary_folder()
    Path("its folder").write_text(str(folder))
    return folder

ray_connection.temporary_folder = noted
sys.exit(main())
"""


# What Ray's hook for uv looks for: an ancestor whose command line begins with these two words.
UV_RUN = ["bash", "-c", 'exec -a uv bash run "$@"', "bash"]


@pytest.mark.slow
def test_a_project_with_folders_of_our_names_in_a_long_tmpdir_without_a_home_under_uv_run(
    console, sentences, tmp_path, all_sinks
):
    """All at once, since each start takes long: also 600 MB beside it, and a run whose name is not ASCII."""
    (tmp_path / "run").write_text('"$@"\nexit $?\n')
    with (tmp_path / "data.bin").open("wb") as data:
        data.truncate(600 * 2**20)
    for name in ("envs", "rlgan", "torch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    temporary = tmp_path / ("t\u00e9mp" * 20)
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary), "HOME": "/proc/nobody", "XDG_CACHE_HOME": ""}
    words = [*ON_RAY, *all_sinks, "--data", sentences, "--run-dir", tmp_path / "caf\u00e9"]
    done = console(*words, environment=environment, code=NOTES_ITS_FOLDER, before=UV_RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "caf\u00e9" / "checkpoints" / "1").is_dir()
    assert "Traceback" not in done.stdout + done.stderr
    folder = Path((tmp_path / "its folder").read_text())
    assert folder.parent == Path("/tmp")
    assert not folder.exists()


def test_a_clone_in_the_current_directory_is_not_taken_for_the_package(rlgan, tmp_path):
    (tmp_path / "rlgan").mkdir()
    (tmp_path / "rlgan" / "README.md").touch()
    done = rlgan("--version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rlgan ")


def test_what_is_typed_as_module_and_object_travels_from_the_current_directory(console, tmp_path):
    (tmp_path / "mine.py").write_text("import torch\n\nclass Mine(torch.nn.Tanh):\n    pass\n", encoding="utf-8")
    words = ["train", "gaussian", "--workers", 1, "--steps", 1, "--activation", "mine:Mine"]
    done = console(*words, "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr


JOINED = """
import subprocess, sys
import ray
from rlgan.cli import main

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
ray.init(address="local", num_cpus=4, include_dashboard=False)
free = ray.available_resources()["CPU"]
assert main(sys.argv[1:]) == 0
assert ray.is_initialized()
assert ray.get(ray.remote(lambda: 7).remote()) == 7
assert child.poll() is None
import time
for _ in range(100):
    if ray.available_resources().get("CPU") == free:
        break
    time.sleep(0.1)
assert ray.available_resources()["CPU"] == free
child.kill()
print("all there")
"""


@pytest.mark.slow
def test_a_ray_that_the_caller_has_joined_is_used_and_left_running_and_so_are_its_children(tmp_path, sentences):
    typed = [sys.executable, "-c", JOINED, *ON_RAY, "--data", str(sentences), "--run-dir", str(tmp_path / "run")]
    surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(typed, capture_output=True, text=True, timeout=170, env=surroundings, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all there" in done.stdout


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "job server"),
        ("127.0.0.1", "HOST:PORT"),
        ("somewhere:", "HOST:PORT"),
        ("[::1]:1", "Connection refused"),
        ("127.0.0.1:1", "Connection refused"),
        ("127.0.0.1:99999999", "HOST:PORT"),
    ],
)
def test_an_address_of_another_form_or_with_nobody_there_says_what_is_due(address, said):
    start = time.monotonic()
    with pytest.raises(RunError) as raised:
        check_answers(address)
    assert said in str(raised.value)
    assert "HOST:PORT" in str(raised.value)
    assert "token" not in str(raised.value)
    assert time.monotonic() - start < 15


def test_a_token_that_the_cluster_refuses_is_one_line_that_says_where_it_is_set(monkeypatch, tmp_path):
    """What `ray health-check` says of it, without a cluster; with one it is tested below."""
    program = tmp_path / "ray"
    program.write_text("#!/bin/sh\necho Unauthenticated: InvalidAuthToken >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr("rlgan.engine.ray_address.installed", lambda _: program)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(RunError) as raised:
        check_answers(f"127.0.0.1:{server.getsockname()[1]}")
    assert "refuses the token" in str(raised.value)
    assert "RAY_AUTH_TOKEN_PATH" in str(raised.value)


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_token_file_that_can_not_be_read_is_one_line_that_names_it(rlgan, on_ray, tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    done = rlgan(*on_ray, "--steps", 1, "--run-dir", tmp_path / "run", environment={"RAY_AUTH_TOKEN_PATH": str(file)})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"RAY_AUTH_TOKEN_PATH {file} " in line


def test_a_long_or_foreign_tmpdir_gives_a_short_folder(monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    folder = temporary_folder()
    folder.rmdir()
    assert folder.parent == Path("/tmp")


def test_the_cpus_that_may_be_used_are_those_of_the_affinity_and_of_the_cgroup(tmp_path):
    mine = sorted(os.sched_getaffinity(0))
    assert usable_cpus(tmp_path) == len(mine)
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/a/b\n")
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "b").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path) == len(mine)
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "cpu.max").write_text("50000 100000\n")
    assert usable_cpus(tmp_path) == 1
    code = "from rlgan.engine.processes import usable_cpus; print(usable_cpus())"
    typed = ["taskset", "-c", str(mine[0]), sys.executable, "-c", code]
    assert subprocess.run(typed, capture_output=True, text=True, check=True).stdout == "1\n"


def test_where_the_system_tells_no_affinity_all_cpus_of_the_machine_may_be_used(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS has none
    assert usable_cpus(tmp_path) == os.cpu_count()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
def test_submit_goes_past_a_proxy_for_loopback_and_says_in_one_line_that_nobody_answers(rlgan, address):
    environment = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = rlgan("submit", "--address", address, "--", "train", "--run-dir", "/tmp/never", environment=environment)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"no job server answers at {address}: " in line
    assert "proxy" not in line


class _Refuses(BaseHTTPRequestHandler):
    """A proxy that can't reach the server."""

    def do_GET(self):
        self.send_error(502)

    def log_message(self, *_):
        pass


def test_a_proxy_that_can_not_reach_the_job_server_is_one_line_that_names_it(rlgan):
    with HTTPServer(("127.0.0.1", 0), _Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.server_port}"
        words = ["submit", "--address", "http://head.invalid:8265", "--", "train", "--run-dir", "/tmp/never"]
        done = rlgan(*words, environment={"http_proxy": proxy, "no_proxy": ""})
        server.shutdown()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"through the proxy {proxy}" in line
    assert "no_proxy=head.invalid" in line


def test_no_loopback_interface_is_one_line(on_ray, tmp_path):
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this sandbox has no namespaces of networks")
    typed = ["unshare", "-n", sys.executable, "-m", "rlgan", *on_ray, "--steps", "1", "--run-dir", tmp_path / "run"]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "loopback" in line
    assert "--workers 0" in line


@pytest.mark.parametrize("limit", [100, 150, 200])
def test_a_limit_on_processes_is_one_line_that_names_it(on_ray, tmp_path, limit):
    tmp_path.chmod(0o777)
    # For the superuser there is no limit. Another user keeps the right to read, or could not find this Python.
    rights = "-all,+dac_override,+dac_read_search"
    another = ["setpriv", "--reuid", str(40_000 + limit), "--clear-groups", f"--inh-caps={rights}"]
    another = [*another, f"--ambient-caps={rights}"] if os.getuid() == 0 else []
    if another and subprocess.run([*another, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this sandbox lets nobody become another user")
    typed = [*another, sys.executable, "-m", "rlgan", *on_ray, "--steps", "1", "--run-dir", tmp_path / "run"]
    done = subprocess.run(
        typed, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{limit} processes and threads (ulimit -u)" in line


def test_the_superuser_has_no_limit_on_processes(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (50, 50))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    check_machine(2)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    with pytest.raises(RunError, match="ulimit -u"):
        check_machine(2)


def test_little_shared_memory_is_said():
    assert small_shared_memory(1.0) is None
    assert "--shm-size" in small_shared_memory(2.0**60)


NOISY = {"PYTHONWARNINGS": "error", "TERM": "dumb", "COLUMNS": "40", "http_proxy": "http://127.0.0.1:9"}


def test_little_shared_memory_warnings_as_errors_few_files_and_a_proxy_make_no_noise(on_ray, tmp_path):
    """All at once, since each start takes long. Where the sandbox forbids mounts, shared memory stays large."""
    small = "mount -t tmpfs -o size=64m tmpfs /dev/shm"
    unshared = ["unshare", "-m", "bash", "-c", f'{small}; ulimit -n 64; "$@"', "bash"]
    may_mount = not subprocess.run(["unshare", "-m", "bash", "-c", small], capture_output=True, check=False).returncode
    before = unshared if may_mount else ["bash", "-c", 'ulimit -S -n 64; "$@"', "bash"]
    typed = [*before, sys.executable, "-m", "rlgan", *on_ray, "--steps", "1", "--run-dir", tmp_path / "run"]
    surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | NOISY
    done = subprocess.run(typed, capture_output=True, text=True, timeout=170, env=surroundings, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert ("/dev/shm has 64 MiB free" in done.stdout) == may_mount
    assert "\x1b" not in done.stdout
    assert "Warning" not in done.stdout


@pytest.mark.slow
def test_a_cluster_on_loopback_alone_without_rays_own_switch_is_one_line_that_names_it(
    rlgan, on_ray, tmp_path, a_cluster, monkeypatch
):
    address, environment, _ = a_cluster
    # This process has set it for a Ray of its own, when it imported Ray.
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    words = [*on_ray, "--steps", 1, "--run-dir", tmp_path / "run"]
    joins = environment | {"RAY_ADDRESS": address}
    done = rlgan(*words, environment={name: value for name, value in joins.items() if "WINDOWS" not in name})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no Ray answered there within 30 s" in line
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0" in line
    refused = rlgan(*words, environment=joins | {"RAY_AUTH_TOKEN": "another" * 8})
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "refuses the token of this process" in line
    assert rlgan(*words, environment=joins).returncode == 0
