"""The flags of commit ed22221 are still taken, those that have another name now too: scripts type them."""

import dataclasses

import pytest

from rlgan.cli.help import Page
from rlgan.cli.parsing import command, parse
from rlgan.runs.settings import RunSettings
from rlgan.settings import all_settings, flatten
from rlgan.task import find_task

FLAGS = {
    "text": "preset method data layout vocab-size length seed batch-size shards lag discriminator-steps estimator "
    "weighting discount reward reward-control baseline baseline-decay baseline-learning-rate monte-carlo-rollouts "
    "importance-limit normalise-advantages entropy-bonus supervision curriculum generator-learning-rate "
    "discriminator-learning-rate adam-beta1 gradient-norm discriminator-dropout discriminator-word-dropout "
    "generator-average generator discriminator embedding-size hidden-size",
    "gaussian": "preset target seed batch-size iterations loss width depth activation output noise discriminator-steps "
    "generator-steps pretraining optimizer generator-learning-rate discriminator-learning-rate momentum adam-beta2 "
    "decay batch-features group kernels kernel-dimension r1 r2 generator-average",
    "image": "preset data seed faces size crop filter skip-bad cache batch-size flips networks noise-size "
    "generator-units units pieces dropout input-dropout width mixed-precision loss discriminator-steps optimizer "
    "generator-learning-rate discriminator-learning-rate momentum adam-beta2 decay decay-epochs r1 r2 "
    "generator-average threads",
}
RUN = (
    "run-dir resume workers worker-cpus rollout-gpus learners learner-cpus learner-gpus placement mixed-fleet steps "
    "epochs minutes evaluate-every checkpoint-every keep-checkpoints on-collapse log-every"
)
ALIASES = {"text": "--max-length --batch --lambda -k", "gaussian": "--batch -k", "image": "--batch -k"}


def _typed(task, flags):
    """Parse flags with a value that is as good as any, and give all settings."""
    recipe = find_task(task).defaults
    parts = {"recipe": (type(recipe), recipe), "run": (RunSettings, RunSettings())}
    settings = {setting.flag: setting for kind, _ in parts.values() for setting in all_settings(kind)}
    words = []
    for flag in flags:
        default = settings.get(flag)
        if default is not None and default.kind is bool:
            words.append(flag)
        else:
            words += [flag, *VALUES.get(flag, ["1"])]
    asked = parse(command("Train", "", parts), words, Page("rlgan train", "", ""))
    return flatten(asked.recipe) | flatten(asked.run)


NAMES = {
    "--preset": ["paper"], "--method": ["mle"], "--layout": ["windows"], "--estimator": ["all-tokens"],
    "--weighting": ["forward_kl"], "--reward": ["centred"], "--reward-control": ["shuffled"], "--baseline": ["others"],
    "--curriculum": ["0", "1"], "--generator": ["cnn"], "--discriminator": ["cnn"], "--target": ["ring"],
    "--loss": ["relativistic"], "--activation": ["relu"], "--output": ["linear"], "--noise": ["normal"],
    "--optimizer": ["adam"], "--decay": ["cosine"], "--batch-features": ["packing"], "--filter": ["box"],
    "--networks": ["maxout"], "--placement": ["pack"], "--on-collapse": ["stop"], "--size": ["64"],
    "--resume": [],  # alone, as before there was `auto`
}  # fmt: skip
VALUES = NAMES


@pytest.mark.parametrize("task", FLAGS)
def test_every_flag_of_before_is_taken(task):
    flags = [f"--{name}" for name in f"{FLAGS[task]} {RUN}".split()]
    found = _typed(task, flags)
    untouched = _typed(task, [])
    # Nearly all have another value than the default now: each flag has reached a setting.
    assert len([name for name in found if found[name] != untouched[name]]) > 0.8 * len(flags)
    if task == "text":
        assert (found["baseline"], found["generator_core"]) == ("leave_one_out", "cnn")
    assert found["generator_ema_decay"] == 1.0
    for alias in ALIASES[task].split():
        _typed(task, [alias])


def test_a_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_task("text").name = "other"
