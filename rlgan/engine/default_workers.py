"""How many rollout workers a run has for which no number is typed; docs/performance.md has what was measured."""

from rlgan.engine.settings import EngineSettings

WORKERS = 2


def default_workers(
    run: EngineSettings, shards: int, lag: int, *, cpus: int, on_cluster: bool, on_gpu: bool
) -> tuple[int, str]:
    """How many workers, and why, for people.

    Args:
        run: what else was typed.
        shards: of a batch of rollouts; 0 where no step has any.
        lag: of the recipe; with one, rollouts are made while the learner learns.
        cpus: that this process may use.
        on_cluster: whether the actors go to a Ray that is there.
        on_gpu: whether this process would compute on a GPU.

    Example:
        >>> default_workers(EngineSettings(), 2, 1, cpus=8, on_cluster=False, on_gpu=False)
        (2, 'they make rollouts while the learner learns, as --lag allows')
    """
    if ":" in run.device:
        return 0, f"--device {run.device} names the GPU of one process"
    busy = max(min(WORKERS, shards), 1)
    if on_cluster:
        return busy, "there is a Ray cluster to use"
    if run.learners > 1 or run.rollout_gpus:
        return busy, f"{'--learners' if run.learners > 1 else '--rollout-gpus'} needs Ray"
    if not shards:
        return 0, "no step of this recipe has rollouts"
    if on_gpu:
        return 0, "rollouts are made on the GPU that learns"
    if not lag:
        return 0, "without --lag, rollouts and updates take turns, and workers cost more than they gain"
    if cpus < 1 + busy:
        workers, shared = ("a worker", "2 workers")[busy > 1], f"{cpus} CPU{'s' if cpus > 1 else ''}"
        return 0, f"{workers} and a learner would share {shared}"
    return busy, "they make rollouts while the learner learns, as --lag allows"
