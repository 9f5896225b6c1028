"""A text model of Hugging Face's library trains, resumes and is evaluated, in an environment of its own.

Run by `scripts/test --long transformers`. The files are those of docs/extending.md.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text()
CORES = ["--generator-core", "my_gpt2:GPT2", "--discriminator-core", "my_gpt2:GPT2"]
SMALL = re.search(r"stands for\s*`(.*?)`", TEXT, flags=re.S)[1].replace("--steps 4", "").split()
SAVE = """
from transformers import GPT2Config, GPT2Model
GPT2Model(GPT2Config(vocab_size=1, n_positions=32, n_embd=8, n_layer=2, n_head=2)).save_pretrained("trained")
"""


@pytest.fixture
def type_(python_with, tmp_path):
    """Type words for the interpreter of an environment that has the library, in a directory with the files."""
    python = python_with("transformers", "transformers==5.24.0")
    for name in ("my_transformer", "my_gpt2"):
        (tmp_path / f"{name}.py").write_text(re.search(rf"```python\n# {name}\.py\n(.*?)```", TEXT, flags=re.S)[1])
    surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    surroundings |= {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def run(*words):
        done = subprocess.run(
            [python, *map(str, words)], capture_output=True, text=True, timeout=1800, env=surroundings, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_gpt_2_writes_and_reads(type_, tmp_path, digest):
    train = ["-m", "rlgan", "train"]
    type_(*train, *SMALL, *CORES, "--steps", 4, "--workers", 0, "--run-dir", "straight")
    type_(*train, *SMALL, *CORES, "--steps", 4, "--workers", 2, "--run-dir", "ray")
    type_(*train, *SMALL, *CORES, "--steps", 2, "--workers", 0, "--run-dir", "parts")
    type_(*train, "--run-dir", "parts", "--resume", "--steps", 4, "--trust-imports")
    assert digest(tmp_path / "parts", 4) == digest(tmp_path / "straight", 4) == digest(tmp_path / "ray", 4)
    words = ["-m", "rlgan", "evaluate", "straight", "--samples", 50, "--temperatures", 1.0, "--json", "--trust-imports"]
    assert 300 < json.loads(type_(*words))["test_perplexity_carried"] < 500


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_trained_blocks_take_the_place_of_fresh_ones(type_, tmp_path):
    type_("-c", SAVE)
    file = tmp_path / "my_gpt2.py"
    file.write_text(
        file.read_text().replace(
            "GPT2Blocks(config)", f"GPT2Blocks.from_pretrained({str(tmp_path / 'trained')!r}, attn_pdrop=0.0)"
        )
    )
    type_("-m", "rlgan", "train", *SMALL, *CORES, "--steps", 1, "--workers", 0, "--run-dir", "run")
    compare = """
import safetensors.torch as st
one, two = st.load_file("trained/model.safetensors"), st.load_file("run/checkpoints/1/discriminator.safetensors")
print([name for name in one if name != "wte.weight" and (one[name] - two["core.layer." + name]).abs().max() > 0.01])
"""
    assert type_("-c", compare).strip() == "[]"
