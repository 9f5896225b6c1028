"""What TensorBoard shows of a run, in a real browser."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Headless, and quiet: a browser that calls home waits for an answer that may never come.
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=40000",
    "--window-size=1600,4000",  # cards below the edge are not drawn
    "--dump-dom",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium on the path")
def test_a_browser_sees_the_measures_of_a_run(rlgan, small_words, all_sinks, tmp_path):
    run = tmp_path / "run"
    words = ["train", *small_words, *all_sinks, "--workers", 0, "--steps", 3, "--run-dir", run]
    assert rlgan(*words).returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    typed = [sys.executable, "-m", "tensorboard.main", "--logdir", run, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(typed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/data/runs", '"events"')
        series = _page(f"{address}/#timeseries")
        # Of the older pages a browser gives out no text: what they are drawn from.
        with urllib.request.urlopen(f"{address}/data/plugin/custom_scalars/layout", timeout=30) as answer:
            layout = answer.read().decode()
        _wait_for(f"{address}/data/plugins_listing", '"hparams"')
    finally:
        server.kill()
        server.wait()
    for shown in ("1_quality/01_validation_perplexity", "1_quality/02_test_perplexity", "2_losses", "events"):
        assert shown in series
    for tag in ("1_quality/01_validation_perplexity", "6_references/floor_perplexity"):
        assert tag in layout
    started = EventAccumulator(str(run / "events")).Reload().SummaryMetadata("_hparams_/session_start_info")
    settings = HParamsPluginData.FromString(started.plugin_data.content).session_start_info.hparams
    assert settings["batch_size"].number_value == 16


def _page(address):
    with tempfile.TemporaryDirectory() as profile:
        words = [BROWSER, *QUIET, f"--user-data-dir={profile}", address]
        return subprocess.run(words, capture_output=True, text=True, timeout=180, check=False).stdout


def _wait_for(address, content, seconds=60):
    limit = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if content in answer.read().decode():
                    return
        except OSError:
            pass
        assert time.monotonic() < limit, address
        time.sleep(0.5)
