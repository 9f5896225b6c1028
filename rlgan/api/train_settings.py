"""The settings of `rlgan.train`, for editors and type checkers."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict


class TrainSettings(TypedDict, total=False):
    """The settings of all tasks of the package and of runs, by name; `rlgan train TASK --help` explains each.

    What holds is declared where the settings are: a test compares. Settings of a task of your own are given as
    `**settings` with `settings: dict[str, Any]`.
    """

    run_dir: str | PathLike[str] | None
    resume: bool | Literal["auto"]
    steps: int | None
    epochs: float | None
    minutes: float | None
    workers: int | str | None
    worker_cpus: float
    device: str
    rollout_gpus: float | None
    learners: int
    learner_cpus: float
    learner_gpus: float | None
    placement: Literal["spread", "pack"]
    mixed_fleet: bool
    evaluate_every: int | None
    checkpoint_every: int
    keep_checkpoints: int
    on_collapse: Literal["warn", "stop"]
    log_every: int
    sinks: Sequence[str]
    preset: Literal["paper", "best"]
    preset_for: Literal["small", "large"] | None
    # `str` for everything that is named in a table, since it may be `module:object` of the caller's own too.
    method: str
    seed: int
    batch_size: int
    rollouts: int | None
    shards: int
    lag: int
    data: str | PathLike[str]
    layout: str | None
    tokens: str
    split: str | None
    vocab_size: int | None
    length: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    discriminator_steps: int
    generator_ema_decay: float
    reward: str
    scorer: str | None
    reward_control: str
    reward_limit: float
    returns: str
    discount: float
    monte_carlo_rollouts: int
    estimator: str
    weighting: str
    importance_limit: float
    normalise_advantages: bool
    entropy_bonus: float
    baseline: str
    baseline_decay: float
    baseline_learning_rate: float
    supervision: float
    curriculum: Sequence[tuple[float, float]]
    generator_core: str
    discriminator_core: str
    embedding_size: int
    hidden_size: int
    generator_dropout: float
    discriminator_dropout: float
    discriminator_word_dropout: float
    adam_beta1: float
    gradient_norm: float
    discriminator_form: str
    negatives: str
    discriminator_embedding_size: int | None
    discriminator_hidden_size: int | None
    decay: str
    decay_epochs: float
    decay_floor: float
    logits_mib: float
    precision: str
    threads: int
    faces: int
    size: int
    crop: int | None
    filter: str
    skip_bad: bool
    flips: bool
    cache: str | PathLike[str] | None
    networks: str
    noise_size: int
    generator_units: int
    units: int
    pieces: int
    dropout: float
    input_dropout: float
    width: int
    mixed_precision: bool
    optimizer: str
    momentum: float
    adam_beta2: float
    loss: str
    r1: float
    r2: float
    target: str
    iterations: int
    generator_steps: int
    pretraining: int
    depth: int
    activation: str
    output: str
    noise: str
    batch_features: str
    minibatch_group_size: int
    kernels: int
    kernel_dimension: int
