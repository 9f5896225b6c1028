"""What fits where: pure functions of what the nodes have and the actors need."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError

Resources = Mapping[str, float]  # amounts by Ray's names, such as "CPU" and "GPU"
Amounts = tuple[float, float]  # of CPUs and of GPUs


def worker_capacity(
    nodes: Mapping[str, Resources],
    run: EngineSettings,
    learner_nodes: Sequence[str],
    workers_on: Counter[str | None],
    excluded: Collection[str] = (),
) -> dict[str, int]:
    """Return how many rollout workers fit on each node beside the learners.

    Args:
        nodes: the total resources of each node.
        run: what the actors need.
        learner_nodes: where the learners are. For learners that are nowhere yet, or whose node is gone, room is kept
            where that costs the fewest workers, and among these nodes where it displaces the fewest that are there.
        workers_on: how many workers each node has.
        excluded: nodes that must not have workers.

    Example:
        >>> worker_capacity({"a": {"CPU": 2}, "b": {"CPU": 3}}, EngineSettings(), ["a"], Counter())
        {'a': 1, 'b': 3}
    """
    has = {name: _amounts(node) for name, node in nodes.items()}
    learners = Counter(node for node in learner_nodes if node in has)

    def worth(learners: Counter[str]) -> tuple[int, int]:
        fit = _beside(learners, has, run, excluded)
        return sum(fit.values()), sum(min(fit[name], workers_on[name]) for name in fit)

    # One learner after the other, each where it costs least: to try all combinations would take exponentially long.
    while learners.total() < run.learners:
        candidates = [learners + Counter([name]) for name in has]
        candidates = [each for each in candidates if _learners_fit(each, has, run)]
        if not candidates:
            # The others fit nowhere now: what is counted is the room beside those that have a place.
            break
        learners = max(candidates, key=worth)
    return _beside(learners, has, run, excluded)


def learners_that_fit(nodes: Mapping[str, Resources], run: EngineSettings) -> int:
    """Return how many learners fit on nodes that hold nothing else.

    Example:
        >>> learners_that_fit({"a": {"CPU": 3}, "b": {"CPU": 1}}, EngineSettings(learner_cpus=2))
        1
    """
    return sum(_times(_amounts(node), _learner_needs(run)) for node in nodes.values())


def choose_node(
    capacity: Mapping[str, int], workers_on: Counter[str | None], placement: str, learner_nodes: Sequence[str]
) -> str | None:
    """Return the node for the next worker: of those with room the emptiest ("spread") or the fullest ("pack").

    Returns:
        None where no node has room.

    Example:
        >>> choose_node({"a": 2, "b": 2}, Counter({"a": 1}), "spread", [])
        'b'
    """
    with_room = [name for name in capacity if capacity[name] > workers_on[name]]

    def fullness(name: str) -> tuple[int, int]:
        learners = learner_nodes.count(name)
        # Of nodes that are equally full, spread then takes one without a learner, and pack the learner's own.
        return workers_on[name] + learners, learners

    if placement == "spread":
        return min(with_room, key=fullness, default=None)
    return max(with_room, key=fullness, default=None)


def check_resources(nodes: Mapping[str, Resources], run: EngineSettings, shards: int) -> None:
    """Check that the actors fit, with as few rollout workers as are allowed.

    Ray itself would wait for ever, and silently, for resources that the cluster does not have.

    Args:
        nodes: the total resources of each node.
        run: what the actors need.
        shards: how many shards a batch of rollouts has.

    Raises:
        RunError: the actors do not fit.

    Example:
        >>> check_resources({"a": {"CPU": 2}}, EngineSettings(workers=4), shards=4)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        rlgan.errors.RunError: 5 CPUs are needed (4 rollout workers and a learner) and this Ray has 2. Ask for ...
    """
    workers, _ = run.fleet(shards)
    needs = {
        "CPU": workers * run.worker_cpus + run.learners * run.learner_cpus,
        "GPU": workers * run.gpus_of_worker + run.learners * run.gpus_of_learner,
    }
    # Totals, and not what is free now: that changes while others come and go,
    # and Ray starts what waits as soon as it can.
    for name, need in needs.items():
        total = sum(node.get(name, 0.0) for node in nodes.values())
        if need > total:
            raise RunError(
                f"{need:g} {name}s are needed ({workers} rollout workers and {run.learning}) and this Ray has "
                f"{total:g}. Ask for fewer --workers or GPUs, or add nodes"
            )
    # An actor lies on one node: what is enough in all may be too little on each.
    fit = sum(worker_capacity(nodes, run, [], Counter()).values())
    if fit < workers or learners_that_fit(nodes, run) < run.learners:
        have = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes.values())
        raise RunError(
            f"{workers} rollout workers of {run.worker_cpus:g} CPUs and {run.gpus_of_worker:g} GPUs each, and "
            f"{run.learning} of {run.learner_cpus:g} CPUs and {run.gpus_of_learner:g} GPUs, do not fit on the nodes of "
            f"this Ray, which have {have}. Ask for fewer or smaller ones, or add nodes"
        )


def with_gpus(nodes: Mapping[str, Resources], run: EngineSettings, shards: int) -> EngineSettings:
    """Return the settings with as many GPUs for each actor as --device asks for and the nodes have.

    Args:
        nodes: the total resources of each node.
        run: what the actors need.
        shards: how many shards a batch of rollouts has.

    Raises:
        RunError: the actors do not fit.

    Example:
        >>> found = with_gpus({"a": {"CPU": 3, "GPU": 1}}, EngineSettings(workers=2), shards=2)
        >>> found.gpus_of_learner, found.gpus_of_worker  # all three share the one GPU
        (0.33, 0.33)
    """
    *choices, last = run.on_gpus(sum(node.get("GPU", 0.0) for node in nodes.values()), shards)
    for choice in choices:
        with suppress(RunError):
            check_resources(nodes, choice, shards)
            return choice
    check_resources(nodes, last, shards)
    return last


def _beside(
    learners: Counter[str], has: Mapping[str, Amounts], run: EngineSettings, excluded: Collection[str]
) -> dict[str, int]:
    """Return how many workers fit on each node beside so many learners on each."""
    cpus, gpus = _learner_needs(run)
    needs = (run.worker_cpus, run.gpus_of_worker)
    fit = {}
    for name, amounts in has.items():
        left = (amounts[0] - learners[name] * cpus, amounts[1] - learners[name] * gpus)
        fit[name] = 0 if name in excluded else max(_times(left, needs), 0)
    return fit


def _learners_fit(learners: Counter[str], has: Mapping[str, Amounts], run: EngineSettings) -> bool:
    cpus, gpus = _learner_needs(run)
    return all(
        amounts[0] >= learners[name] * cpus and amounts[1] >= learners[name] * gpus for name, amounts in has.items()
    )


def _learner_needs(run: EngineSettings) -> Amounts:
    return run.learner_cpus, run.gpus_of_learner


def _amounts(node: Resources) -> Amounts:
    return node.get("CPU", 0.0), node.get("GPU", 0.0)


def _times(has: Amounts, needs: Amounts) -> int:
    # Fractions such as 0.1 do not add up exactly: without the small number, ten of them would not fit into 1.
    return min(int(amount / need + 1e-9) for amount, need in zip(has, needs, strict=True) if need)
