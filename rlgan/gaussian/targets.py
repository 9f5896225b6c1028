"""What is particular to each distribution that the Gaussian task can learn: its data, its measures, its picture.

A distribution of your own is a `Target`; the names that settings offer are in `rlgan.gaussian.tables`.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from rlgan.drawing import pixels
from rlgan.gaussian import figures, measures, mixtures
from rlgan.gaussian.coverage import coverage
from rlgan.gaussian.figures import Seen
from rlgan.gaussian.mixtures import Mixture
from rlgan.gaussian.networks import PerceptronDiscriminator
from rlgan.types import Evaluation, Float, Metrics

# Samples that are compared with a mixture: as many as PacGAN's (Lin et al. 2018, section 4.1).
COVERAGE_SAMPLES = 2_500
TITLE = "{}:\ngenerated samples and data"


class Target(Protocol):
    """A distribution that is to be learned.

    Example:
        >>> target: Target = RING
        >>> real = target.mixture.sample(np.random.default_rng(0), COVERAGE_SAMPLES)
        >>> target.floors([real])["modes_floor"]  # the data has samples in all of them
        8.0
    """

    @property
    def mixture(self) -> Mixture:
        """The Gaussians that real samples are drawn from."""
        ...

    @property
    def selection_metric(self) -> str:
        """The metric that says which checkpoint is the best: the one where it is least."""
        ...

    def floors(self, samples: list[Float]) -> Metrics:
        """Measures of independent real samples [N, X], under names that end in `_floor`: what no generator beats."""
        ...

    def evaluate(self, made: Float, real: Float, discriminator: PerceptronDiscriminator) -> Evaluation:
        """Measure generated samples [N, X] beside real ones [N, X], and the discriminator."""
        ...

    def brief(self, metrics: Metrics) -> str:
        """The metrics of an evaluation in a few words, for a line of progress."""
        ...

    def summary(self, metrics: Metrics) -> str:
        """The metrics of an evaluation in a whole line."""
        ...

    def collapse(self, metrics: Metrics) -> str:
        """How the samples have collapsed, given metrics with `collapsed` = 1."""
        ...


@dataclass(frozen=True)
class Normal:
    """N(0, 1).

    Example:
        >>> NORMAL.floors([np.array([[-1.0], [1.0]]), np.array([[0.0], [2.0]])])  # all of them one further
        {'w1_floor': 1.0, 'ks_floor': 0.5, 'std_floor': 1.0}
    """

    mixture: Mixture
    # Unlike KS, which is 1 for every spike beside the data, it says how far away the samples are.
    selection_metric: ClassVar[str] = "w1"

    def floors(self, samples: list[Float]) -> Metrics:
        """Mean distances between two real samples, and the standard deviation of the first."""
        flat = [sample[:, 0] for sample in samples]
        # Of the first sample, because that is the one which generated samples are compared with.
        return measures.floors(flat) | {"std_floor": float(flat[0].std())}

    def evaluate(self, made: Float, real: Float, discriminator: PerceptronDiscriminator) -> Evaluation:
        """Distances, moments, and how far D is from .5."""
        flat, curve = made[:, 0], measures.curve(discriminator, real)
        metrics = measures.distances(flat, real[:, 0]) | {
            "std": float(flat.std()),
            "mean": float(flat.mean()),
            "collapsed": float(flat.std() < measures.COLLAPSED),
            "discriminator_distance": float(np.abs(curve - 0.5)[measures.INNER].max()),
        }
        picture = pixels(figures.densities({"": {TITLE.format(self.mixture.name): [Seen(flat, curve)]}}))
        return Evaluation(
            metrics,
            series={},
            texts=[],
            histograms={"generated": flat},
            pictures={"density": picture},
            animated=("density",),
        )

    def brief(self, metrics: Metrics) -> str:
        """The distances beside their floors."""
        m = metrics
        return f"W1 {m['w1']:.3f} (floor {m['w1_floor']:.3f}), KS {m['ks']:.3f} (floor {m['ks_floor']:.3f})"

    def summary(self, metrics: Metrics) -> str:
        """The same, how wide the samples lie, and D."""
        m = metrics
        state = ", collapsed" if m["collapsed"] else ""
        spread = f"standard deviation {m['std']:.2f} (data {m['std_floor']:.2f}){state}"
        return f"{self.brief(m)}, {spread}, D at most {m['discriminator_distance']:.2f} from .5"

    def collapse(self, metrics: Metrics) -> str:
        """Mode collapse (the paper's Helvetica problem): a spike where a Gaussian should be."""
        return f"the samples' standard deviation is {metrics['std']:.2f}"


@dataclass(frozen=True)
class Modes:
    """A mixture of several Gaussians in the plane, far from each other.

    Example:
        >>> RING.brief({"modes": 7.0, "modes_floor": 8.0, "high_quality": 0.95, "high_quality_floor": 0.989})
        'modes 7 of 8, high quality 95.0% (data 98.9%)'
    """

    mixture: Mixture
    # One number for both faults: samples that belong to no mode and modes that have too few samples add to it alike.
    selection_metric: ClassVar[str] = "total_variation"

    def floors(self, samples: list[Float]) -> Metrics:
        """The means over the real samples."""
        # The alarm has no floor: it is yes or no, and the data itself does not raise it.
        found = [coverage(sample[:COVERAGE_SAMPLES], self.mixture) for sample in samples]
        return {f"{name}_floor": float(np.mean([m[name] for m in found])) for name in found[0] if name != "collapsed"}

    def evaluate(self, made: Float, real: Float, discriminator: PerceptronDiscriminator) -> Evaluation:  # noqa: ARG002
        """Modes and quality; D, a function of the plane, is not measured."""
        # No more of them: one good sample is enough for a mode to count, so that more samples would find more modes.
        made, real = made[:COVERAGE_SAMPLES], real[:COVERAGE_SAMPLES]
        picture = pixels(figures.scatters({TITLE.format(self.mixture.name): made}, real))
        metrics = coverage(made, self.mixture)
        return Evaluation(
            metrics, series={}, texts=[], histograms={}, pictures={"scatter": picture}, animated=("scatter",)
        )

    def brief(self, metrics: Metrics) -> str:
        """Modes and quality beside those of the data."""
        m = metrics
        modes = f"modes {m['modes']:.0f} of {m['modes_floor']:.0f}"
        return f"{modes}, high quality {m['high_quality']:.1%} (data {m['high_quality_floor']:.1%})"

    def summary(self, metrics: Metrics) -> str:
        """The same, how even the modes are, and how wide."""
        m = metrics
        state = ", collapsed" if m["collapsed"] else ""
        even = f"reverse KL {m['reverse_kl']:.3f} (floor {m['reverse_kl_floor']:.3f}){state}"
        width = f"standard deviation in a mode {m['mode_std']:.2f} (data {m['mode_std_floor']:.2f})"
        return f"{self.brief(m)}, {even}, {width}"

    def collapse(self, metrics: Metrics) -> str:
        """Mode collapse: all samples near a few of the modes."""
        return f"the samples are near few modes: reverse KL {metrics['reverse_kl']:.2f}"


NORMAL = Normal(mixtures.STANDARD_NORMAL)
RING = Modes(mixtures.RING)
GRID = Modes(mixtures.GRID)
