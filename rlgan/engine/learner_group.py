"""The actors of the learners: how they are started, called, watched and replaced, all at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rlgan.engine.ray_environment import ray

from ray import ObjectRef
from ray.actor import ActorHandle
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rlgan.engine.failures import RayError, ResultLostError, TaskError, cannot_start, death_reason, is_death
from rlgan.engine.hosts import LearnerHost
from rlgan.engine.processes import Location, Usage
from rlgan.engine.ray_cluster import TASK_EVENTS, free_resources, kill_actor
from rlgan.engine.roster import START_LIMIT, START_TRIES
from rlgan.engine.settings import EngineSettings
from rlgan.engine.worker_pool import WorkerPool
from rlgan.errors import LearnerLostError, RunError
from rlgan.settings import imported_objects
from rlgan.task import LoadedTask

# Seconds between questions to a learner that is waited for, and those without an answer after which it counts as hung.
ASK_EVERY = 5.0
HUNG_AFTER = 60.0

T = TypeVar("T")


@dataclass
class LearnerHandle:
    """A learner's actor."""

    actor: ActorHandle[Any]
    location: Location
    usage: Usage = field(default_factory=lambda: Usage(0.0, 0))  # as last known

    def __str__(self) -> str:
        return f"The learner ({self.location})"


class LearnerGroup:
    """The learners of a run: one, or several that share every batch and live and die together.

    Args:
        task: builds the learners; in Ray's store.
        run: how many learners, with what.
        pool: the rollout workers, which are looked after while a learner is waited for.
        log: tells a line to people.
    """

    def __init__(
        self, task: ObjectRef[LoadedTask], run: EngineSettings, pool: WorkerPool, log: Callable[[str], None]
    ) -> None:
        self.handles: list[LearnerHandle] = []
        self.restarts = 0
        self._task = task
        self._run = run
        self._pool = pool
        self._log = log
        self._reserved: PlacementGroup | None = None
        self._cpu_seconds_of_removed = 0.0

    @property
    def kind(self) -> str:
        """The kind of machine of the learners, or the kinds."""
        return " and ".join(dict.fromkeys(handle.location.kind for handle in self.handles))

    def start(self) -> None:
        """Start the learners; rollout workers start, or go on, meanwhile.

        Raises:
            RunError: the learners do not start.
        """
        actor_class = self._actor_class()
        # All at once, since each imports torch, and a placement group holds the resources of all.
        arguments = self._task, self._run.gpus_of_learner, imported_objects()
        starting = [actor_class.remote(*arguments) for _ in range(self._run.learners)]
        self.handles = []
        deaths = 0
        while starting:
            actor = starting.pop(0)
            location: ObjectRef[Location] = actor.location.remote()
            # Ray waits for ever, and silently, for resources that are not there.
            if not self._pool.wait(location, START_LIMIT):
                raise RunError(f"The learner did not start within {START_LIMIT} s; {free_resources()}")
            try:
                self.handles.append(LearnerHandle(actor, ray.get(location)))
            except RayError as error:
                if cannot_start(error):
                    raise RunError(f"The learner cannot start: {death_reason(error)}") from error
                deaths += 1
                if deaths == START_TRIES:
                    raise RunError(f"{deaths} learners died at their start: {death_reason(error)}") from error
                starting.append(actor_class.remote(*arguments))
        self._pool.roster.learner_nodes = [handle.location.node for handle in self.handles]
        self._pool.learner = str(self.handles[0])
        self._begin()

    def close(self) -> None:
        """End all learners, and give back what is reserved for them."""
        for handle in self.handles:
            kill_actor(handle.actor)
        if self._reserved is not None:
            remove_placement_group(self._reserved)

    def restart(self) -> None:
        """Replace all learners, of which one was lost, by new ones with fresh networks; the workers stay.

        Raises:
            RunError: the new ones do not start.
        """
        kind = self.kind
        self.close()
        self._cpu_seconds_of_removed += sum(handle.usage.cpu_seconds for handle in self.handles)
        # They were to be made with weights of the lost learner; the run goes back to a checkpoint and asks anew.
        self._pool.dispatcher.forget_jobs()
        self.restarts += 1
        self.start()
        if self.kind != kind:
            self._log(f"The learner was on {kind} and is now on {self.kind}: its bits may differ from here on.")

    def call_first(self, submit: Callable[[ActorHandle[Any]], ObjectRef[T]]) -> T:
        """Call the first learner, which does what one is enough for, and return its result; raises as `call_all`."""
        (result,) = self._call(self.handles[:1], lambda actor, _: submit(actor))
        return result

    def call_all(self, submit: Callable[[ActorHandle[Any], int], ObjectRef[T]]) -> list[T]:
        """Call all learners at the same time, and return their results.

        Args:
            submit: sends the call to the actor of a learner, given its rank.

        Raises:
            LearnerLostError: one of them died or hangs, or its node is gone.
            ResultLostError: the learner is fine, but what it was to read is lost with a node. Where there are several
                learners, the others wait for it in vain, so that this is LearnerLostError too.
        """
        return self._call(self.handles, submit)

    def get(self, handle: LearnerHandle, reference: ObjectRef[T]) -> T:
        """Wait for what a learner was asked for, and return it; raises as `call_all`."""
        self._watch(handle, reference)
        try:
            return ray.get(reference)
        except TaskError as error:
            if isinstance(error.cause, RayError) and not isinstance(error.cause, ResultLostError):
                raise RunError(f"{handle} failed: {death_reason(error.cause)}") from error
            # The learner's own error says what is wrong; Ray's wrapping stays as its context.
            raise error.cause from error
        except RayError as error:
            raise LearnerLostError(f"{handle} died: {death_reason(error)}") from error

    def cpu_seconds(self) -> float:
        """Return the CPU time of all learners so far; raises as `call_all`."""
        usages: list[Usage] = self.call_all(lambda actor, _: actor.usage.remote())
        for handle, usage in zip(self.handles, usages, strict=True):
            handle.usage = usage
        return self._cpu_seconds_of_removed + sum(handle.usage.cpu_seconds for handle in self.handles)

    def _actor_class(self) -> Any:
        """Return Ray's class of the learners' actors, with the resources of each."""
        run = self._run
        strategy: Any = "DEFAULT"
        if run.learners > 1:
            # Together or not at all: learners that started one by one could each hold resources that another needs.
            needs = {"CPU": run.learner_cpus} | ({"GPU": run.gpus_of_learner} if run.gpus_of_learner else {})
            self._reserved = placement_group([needs] * run.learners)
            strategy = PlacementGroupSchedulingStrategy(self._reserved)
        remote: Any = ray.remote  # Ray's type annotations do not know concurrency groups
        return remote(
            num_cpus=run.learner_cpus,
            num_gpus=run.gpus_of_learner,
            scheduling_strategy=strategy,
            concurrency_groups={"watch": 1},
            enable_task_events=TASK_EVENTS,
        )(LearnerHost)

    def _begin(self) -> None:
        """Let the learners meet, and build their networks."""
        size = len(self.handles)
        address = self.handles[0].location.address
        port: int = self.call_first(lambda actor: actor.reserve_port.remote()) if size > 1 else 0
        self.call_all(lambda actor, rank: actor.begin.remote(address, port, rank, size))

    def _call(
        self, handles: Sequence[LearnerHandle], submit: Callable[[ActorHandle[Any], int], ObjectRef[T]]
    ) -> list[T]:
        # All are called before the first is waited for: their updates wait for each other.
        references = [submit(handle.actor, rank) for rank, handle in enumerate(handles)]
        results: list[T] = []
        lost: LearnerLostError | None = None
        for handle, reference in zip(handles, references, strict=True):
            try:
                results.append(self.get(handle, reference))
            except LearnerLostError as error:
                # When one has died, the others only know that it does not answer. Keep the error that says why.
                if lost is None or not is_death(lost.__cause__):
                    lost = error
            except ResultLostError as error:
                if len(self.handles) == 1:
                    raise
                lost = LearnerLostError(f"{handle} lost its shards with a node")
                lost.__cause__ = error
        if lost is not None:
            raise lost
        return results

    def _watch(self, handle: LearnerHandle, reference: ObjectRef[Any]) -> None:
        """Wait for a learner's result as long as its process answers at all, however long the result takes.

        Raises:
            LearnerLostError: it hangs.
        """
        # How long an update takes says nothing: on a slow machine it may be minutes. A process that hangs as a whole
        # also leaves the question on its other thread unanswered. One question at a time, so that none pile up.
        answer: ObjectRef[Usage] | None = None
        silent = 0.0
        while not self._pool.wait(reference, ASK_EVERY):
            if answer is None or ray.wait([answer], timeout=0)[0]:
                answer, silent = handle.actor.usage.remote(), 0.0
            elif (silent := silent + ASK_EVERY) >= HUNG_AFTER:
                raise LearnerLostError(f"{handle} has hung: it answered nothing for {silent:g} s")
