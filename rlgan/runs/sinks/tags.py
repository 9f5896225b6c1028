"""Under which tags TensorBoard shows what a run measures: numbered groups, and lines that belong into one chart."""

from collections.abc import Iterable, Mapping, Sequence

from rlgan.types import Metrics

QUALITY, LOSSES, DISCRIMINATOR = "1_quality", "2_losses", "3_discriminator"
SPEED, CLUSTER, REFERENCES = "4_speed", "5_cluster", "6_references"

# What does not change while a run trains: floors, real text, what can be had without a network.
REFERENCE_ENDS = ("_floor", "_real")
REFERENCE_STARTS = ("floor_", "unigram_")
CLUSTER_STARTS = ("workers_", "restarts_", "memory_", "weights_", "shards_", "lag")
# Of each worker there is one: in all there would be more than anybody reads.
OF_WORKERS = ("memory_worker",)

# Of what every task has; what it measures itself it says itself (`rlgan.task.Measures`).
DESCRIPTIONS = {
    "discriminator_accuracy_real": "Share of real items that D takes for real. 0.5 with both: it can't tell.",
    "discriminator_accuracy_generated": "Share of generated items that D takes for generated.",
    "discriminator_real": "Mean of D's probability that a real item is real.",
    "discriminator_generated": "Mean of D's probability that a generated item is real.",
    "loss_discriminator": "The discriminator's loss; 2 ln 2 = 1.386 where it can't tell.",
    "collapse_alarm": "1 where the generator makes nearly the same thing every time.",
    "seconds": "Wall time from the first step on, that before a resume included.",
    "epoch": "Passes over the real data.",
}

# Lines of one chart, of those that a run has: both sides of D, and the losses of both players (figure 3 of the paper).
CHARTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "losses": {"both players": ("loss_generator", "loss_policy_gradient", "loss_discriminator")},
    "discriminator": {
        "right on": ("discriminator_accuracy_real", "discriminator_accuracy_generated"),
        "D of real and generated": ("discriminator_real", "discriminator_generated"),
    },
}


def evaluation_tags(metrics: Iterable[str], references: tuple[str, ...] = ()) -> dict[str, str]:
    """The tag of each measure of an evaluation; those of quality keep their order, what chooses checkpoints first.

    Args:
        metrics: the names.
        references: how names of the task's own end that are references; see `rlgan.task.Measures`.

    Example:
        >>> evaluation_tags(["w1", "ks", "w1_floor"])
        {'w1': '1_quality/01_w1', 'ks': '1_quality/02_ks', 'w1_floor': '6_references/w1_floor'}
    """
    tags: dict[str, str] = {}
    count = 0
    for name in metrics:
        # D's accuracy on real items ends as the measures of real text do.
        if name.startswith("discriminator_"):
            tags[name] = f"{DISCRIMINATOR}/{name}"
        elif name.endswith((*REFERENCE_ENDS, *references)) or name.startswith(REFERENCE_STARTS):
            tags[name] = f"{REFERENCES}/{name}"
        else:
            count += 1
            tags[name] = f"{QUALITY}/{count:02}_{name}"
    return tags


def score_tag(name: str) -> str:
    """The tag of what is measured cheaply and often: before the measures of evaluations.

    Example:
        >>> score_tag("quick_validation_perplexity")
        '1_quality/00_quick_validation_perplexity'
    """
    return f"{QUALITY}/00_{name}"


def training_tag(name: str) -> str:
    """The tag of a metric of an update, or of the run.

    Example:
        >>> training_tag("loss_mle"), training_tag("tokens_per_second"), training_tag("memory_driver")
        ('2_losses/loss_mle', '4_speed/tokens_per_second', '5_cluster/memory_driver')
    """
    if name.startswith("discriminator_"):
        group = DISCRIMINATOR
    elif name.startswith(CLUSTER_STARTS):
        group = CLUSTER
    elif "_per_" in name or name.startswith("seconds") or name in ("epoch", "tokens", "samples"):
        group = SPEED
    else:
        group = LOSSES
    return f"{group}/{name}"


def summed_over_workers(metrics: Metrics, shards_by_worker: Mapping[str, int]) -> Metrics:
    """The metrics of a run with one number for what each worker has: the sum.

    Example:
        >>> summed_over_workers({"memory_worker_0": 3.0, "memory_worker_1": 4.0, "epoch": 1.0}, {"0": 5, "1": 7})
        {'epoch': 1.0, 'memory_workers': 7.0, 'shards_made': 12.0}
    """
    found = {name: value for name, value in metrics.items() if not name.startswith(OF_WORKERS)}
    for kind in OF_WORKERS:
        values = [value for name, value in metrics.items() if name.startswith(kind)]
        found |= {f"{kind}s": sum(values)} if values else {}
    return found | ({"shards_made": float(sum(shards_by_worker.values()))} if shards_by_worker else {})


def charts(tags: Mapping[str, str], of_task: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[object]]]:
    """The layout of TensorBoard's custom scalars, of the tags that there are by name.

    Args:
        tags: by name.
        of_task: by title, the names of the lines of a chart of the task's own.

    Example:
        >>> charts({"w1": "1_quality/01_w1", "w1_floor": "6_references/w1_floor"}, {"W1": ("w1", "w1_floor")})
        {'quality': {'W1': ['Multiline', ['1_quality/01_w1', '6_references/w1_floor']]}}
    """
    layout: dict[str, dict[str, list[object]]] = {}
    for category, lines in {"quality": of_task, **CHARTS}.items():
        for title, names in lines.items():
            there = [tags[name] for name in names if name in tags]
            if len(there) > 1:
                layout.setdefault(category, {})[title] = ["Multiline", there]
    return layout
