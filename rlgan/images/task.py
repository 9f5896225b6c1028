"""The image task with its settings and its pictures: schedule, learner, words."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from rlgan.errors import DataError
from rlgan.images.evaluation import ImageEvaluator
from rlgan.images.headlines import MEASURES
from rlgan.images.pictures import Pictures, open_pictures
from rlgan.images.players import make_networks
from rlgan.images.settings import ImageSettings
from rlgan.images.sources import Request
from rlgan.images.tables import SOURCES
from rlgan.learning.direct_gradient import NoRollouts, direct_gradient_learner
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.tables import DECAYS
from rlgan.learning.weights import sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import absolute, identity, is_import_here, resolve, updated
from rlgan.task import Facts, Say, caveat_of_few
from rlgan.types import Evaluation, Map, Metrics, Plan, RealBatch

# Of pictures to learn from and of those held out: one picture has no spread.
FEWEST = 2
# What the learning rates fall to, with a decay.
LEAST_RATE = 0.1


@dataclass(frozen=True)
class ImageTask:
    """A recipe and its pictures, which lie in a cache on disk; implements `rlgan.task.LoadedTask`."""

    settings: ImageSettings
    pictures: Pictures

    @staticmethod
    def load(settings: ImageSettings) -> "ImageTask":
        """Find the pictures that the recipe names; `prepare` decodes them.

        Raises:
            DataError: there are none.
        """
        p = settings.pictures
        data = p.data if p.data in SOURCES or is_import_here(p.data) else str(absolute("--data", p.data))
        pictures = _open(settings, Request(data, p.size, p.crop, p.filter, p.faces, split=p.split))
        return ImageTask(updated(settings, {"data": data, "crop": pictures.crop, "split": pictures.split}), pictures)

    def with_settings(self, settings: ImageSettings) -> "ImageTask":
        """The same pictures under another recipe, whose pictures are these."""
        return ImageTask(settings, self.pictures)

    def with_test(self, data: str, map_: Map, say: Say) -> "ImageTask":
        """The same pictures with others in place of the held-out ones, cut and resized as these are.

        Raises:
            DataError: they can't be used, or there are too few.
        """
        p = self.settings.pictures
        data = data if data in SOURCES or is_import_here(data) else str(absolute("--test-data", data))
        others = _open(self.settings, Request(data, p.size, self.pictures.crop, p.filter, p.faces))
        others.prepare(map_, say)
        pictures = replace(self.pictures, test_set=others)
        if (held_out := len(pictures.test())) < FEWEST:
            raise DataError(f"--test-data {data} has {held_out} pictures held out: {FEWEST} or more are needed")
        return ImageTask(self.settings, pictures)

    @property
    def facts(self) -> Facts:
        """What the loop and the processes have to know of it."""
        s, size = self.settings, self.settings.pictures.size
        recipe = identity(s, ignored=("data", "cache"))
        return Facts(
            data=s.pictures.data,
            # Where the pictures and their cache lie does not count.
            identity=(recipe, self.pictures.fingerprint),
            former_identities=tuple((recipe, former) for former in self.pictures.former_fingerprints),
            about=(f"image, preset {s.preset}, seed {s.seed}, {size} x {size}", *self.pictures.about),
            selection_metric="rfid",
            throughput_metric="samples",
            max_learners=s.batch_size,
            cache_dir=self.pictures.cache.parent,
            account={"about": list(self.pictures.about)},
            measures=MEASURES,
        )

    @property
    def schedule(self) -> "ImageSchedule":
        """Which step computes what."""
        return ImageSchedule(self.settings, len(self.pictures.train()))

    @property
    def reporter(self) -> "ImageReporter":
        """What puts evaluations into words."""
        return ImageReporter()

    @property
    def rollout_maker(self) -> Callable[[torch.device], NoRollouts]:
        """No step has rollouts; rollout workers decode the pictures."""
        return NoRollouts

    def prepare(self, map_: Map, say: Say) -> None:
        """Decode the pictures, unless a run before this one has.

        Raises:
            DataError: a picture can't be used, or there are too few.
        """
        self.pictures.prepare(map_, say)
        learn_from, held_out = len(self.pictures.train()), len(self.pictures.test())
        if min(learn_from, held_out) < FEWEST:
            raise DataError(
                f"{self.settings.pictures.data} has {learn_from:,} to learn from and {held_out:,} held out: {FEWEST} "
                "of each are needed, as ten pictures give"
            )
        for line in caveat_of_few(held_out, "pictures"):
            say(line)

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of an update, float32 [B, 3, S, S] in [0, 1]: a pure function."""
        s, train = self.settings, self.pictures.train()
        batches = self.schedule.batches_per_epoch
        epoch, place = divmod(step * s.players.discriminator_steps + update, batches)
        order = stream(s.seed, Purpose.REAL, 0, epoch).permutation(len(train))
        # A set that is smaller than a batch comes more than once in it.
        rows = np.resize(order, max(len(order), s.batch_size))[place * s.batch_size : (place + 1) * s.batch_size]
        batch = train[rows]
        if s.pictures.flips:
            mirrored = stream(s.seed, Purpose.REAL, 1, step, update).random(len(batch)) < 0.5
            batch = np.where(mirrored[:, None, None, None], batch[:, :, ::-1], batch)
        return RealBatch(np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32) / 255)

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        # It belongs to the recipe: by how many threads a sum is shared changes how it is rounded.
        torch.set_num_threads(self.settings.threads)
        noise = partial(sample_noise, size=self.settings.architecture.noise_size)
        return direct_gradient_learner(self, self.settings, make_networks, noise=noise, device=device, group=group)

    def evaluator(self, device: torch.device) -> ImageEvaluator:
        """What measures weights against the held-out pictures."""
        return ImageEvaluator(self.settings, self.pictures, device)


def _open(settings: ImageSettings, request: Request) -> Pictures:
    cache = settings.pictures.cache
    return open_pictures(
        request,
        cache=None if cache is None else absolute("--cache", cache),
        skip_bad=settings.pictures.skip_bad,
    )


@dataclass(frozen=True)
class ImageSchedule:
    """Passes over the training pictures; learning rates that fall over them."""

    settings: ImageSettings
    train_count: int  # pictures to learn from

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations: an epoch."""
        return self.steps(1.0)

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in one pass over the training pictures; those left over wait for a pass that has them."""
        return max(self.train_count // self.settings.batch_size, 1)

    def plan(self, step: int) -> Plan:
        """What training step `step` computes."""
        s = self.settings
        done = min(self.epoch(step) / s.decay_epochs, 1.0)
        decay: Callable[[float], float] = resolve(s.decay, DECAYS)
        rate = LEAST_RATE + (1 - LEAST_RATE) * decay(done)
        steps = s.players.discriminator_steps
        return Plan(supervision=0.0, discriminator_steps=steps, rollouts=False, learning_rate=rate)

    def epoch(self, step: int) -> float:
        """Passes over the training pictures before a step, by the discriminator."""
        return step * self.settings.players.discriminator_steps / self.batches_per_epoch

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        return math.ceil(epochs * self.batches_per_epoch / self.settings.players.discriminator_steps)


class ImageReporter:
    """Puts evaluations into words."""

    def brief(self, evaluation: Evaluation) -> str:
        """The distance beside its floor."""
        m = evaluation.metrics
        return f"rFID {m['rfid']:.1f} (real {m['rfid_floor']:.1f}, PCA {m['rfid_pca200']:.1f})"

    def summary(self, evaluation: Evaluation) -> list[str]:
        """An evaluation in a line."""
        m = evaluation.metrics
        beside = f"recall {m['recall']:.2f} ({m['recall_floor']:.2f}), coverage {m['coverage']:.2f}"
        return [f"{self.brief(evaluation)}, {beside} ({m['coverage_floor']:.2f})"]

    def collapse(self, metrics: Metrics) -> str | None:
        """All pictures alike, which evaluations tell."""
        if not metrics.get("collapsed"):
            return None
        return f"generated pictures differ {metrics['feature_spread']:.3f} times as much as real ones"
