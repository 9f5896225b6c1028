"""Settings and presets of pictures. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.images.tables import FILTERS, FORMER_SPLIT, IMAGE_NETWORKS, SOURCES, SPLITS
from rlgan.learning.settings import LossSettings, OptimizerSettings, PlayerSettings
from rlgan.learning.tables import DECAYS
from rlgan.settings import Added, AtLeast, Below, Choice, Metavar, MoreThan, OneOf, Preset, TypedPath, updated
from rlgan.task import Bounds

FEATURES = "random_convolutions_320"  # the network that pictures are measured by
# The convolutional pair doubles a map of 4 x 4 until it has the size, which gives powers of 2 alone.
SIZES = tuple(2**n for n in range(3, 10))  # of pictures


@dataclass(frozen=True)
class PictureSettings:
    """The pictures to learn from."""

    data: Annotated[str, Choice(SOURCES, "data set", paths=True), TypedPath()] = "faces"
    """`faces`, which are drawn here, a directory in the layout of CelebA (img_align_celeba/, list_eval_partition.txt),
    or any directory of pictures."""
    faces: Annotated[int, AtLeast(12, ", of which two are held out")] = 12_000
    """How many faces are drawn, with `--data faces`."""
    size: Annotated[int, OneOf(SIZES, "a power of 2, from 8 to 512")] = 64
    """S, the side of a picture in pixels: a power of 2 from 8 to 512."""
    crop: Annotated[int, AtLeast(1)] | None = None
    """Side of the square that is cut out of the middle of a picture before it is resized. By default 108 for CelebA,
    for others the largest there is."""
    filter: Annotated[str, Choice(FILTERS, "filter")] = "lanczos"
    """The filter that pictures are resized with."""
    skip_bad: bool = False
    """Leave out pictures that can't be read or are too small, and count them; otherwise the first one ends the run."""
    split: Annotated[str, Choice(SPLITS, "way to split"), Added(before=FORMER_SPLIT)] | None = None
    """What of a directory is held out. partition: CelebA's own test split; folders: test/ beside train/; person,
    picture: a fifth; names: what versions before 0.2.0 did. By default what suits the directory, which is said."""
    flips: bool = False
    """Mirror half of the real pictures."""
    cache: Annotated[str | None, TypedPath(written=True)] = None
    """Where decoded pictures are kept; every process must see it. By default ~/.cache/rlgan."""


@dataclass(frozen=True)
class ImageNetworkSettings:
    """The networks of both players."""

    networks: Annotated[str, Choice(IMAGE_NETWORKS, "pair of networks")] = "convolutional"
    """maxout: the paper's, without convolutions; the discriminator has maxout units, the generator rectifiers and a
    sigmoid. convolutional: a small modern pair."""
    noise_size: Annotated[int, AtLeast(1)] = 64
    """Z, the size of the generator's noise, which is from N(0, I)."""
    generator_units: Annotated[int, AtLeast(1)] = 1200
    """Units in each hidden layer of the maxout pair's generator."""
    units: Annotated[int, AtLeast(1)] = 240
    """Units in each hidden layer of the maxout pair's discriminator."""
    pieces: Annotated[int, AtLeast(1)] = 5
    """Linear pieces of each maxout unit."""
    dropout: Annotated[float, Below(0, 1)] = 0.5
    """Dropout on the hidden layers of the maxout discriminator while it learns."""
    input_dropout: Annotated[float, Below(0, 1)] = 0.2
    """Dropout on the pixels that the maxout discriminator sees while it learns."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of the convolutional pair's largest maps; they double as maps get smaller, up to 8 times as many."""
    mixed_precision: bool = False
    """Compute the convolutional pair in bfloat16 where that loses little."""


@dataclass(frozen=True)
class ImageSettings:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best that we have."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of everything random."""
    batch_size: Annotated[int, AtLeast(1), arg(aliases=["--batch"])] = 32
    """Real pictures, and generated ones, per update."""
    decay: Annotated[str, Choice(DECAYS, "decay")] = "none"
    """How the learning rates fall, to a tenth."""
    decay_epochs: Annotated[float, MoreThan(0)] = 17.0
    """Passes over the data in which they fall."""
    threads: Annotated[int, AtLeast(1)] = 2
    """Threads of the learner. They change how sums are rounded, so they belong to the recipe."""
    pictures: PictureSettings = PictureSettings()
    architecture: ImageNetworkSettings = ImageNetworkSettings()
    players: PlayerSettings = PlayerSettings(generator_learning_rate=2e-4, discriminator_learning_rate=2e-4)
    optimization: OptimizerSettings = OptimizerSettings(optimizer="adam", momentum=0.5)
    adversarial: LossSettings = LossSettings()

    def check(self) -> None:
        """Check what concerns several settings at once.

        Raises:
            UsageError: they do not go together.
        """
        pictures, architecture = self.pictures, self.architecture
        if pictures.crop is not None and pictures.crop < pictures.size:
            raise UsageError(f"--crop is {pictures.crop}: it must be --size ({pictures.size}) or more")
        if not pictures.data:
            raise UsageError("--data is empty: give faces or a directory")
        if architecture.mixed_precision and architecture.networks == "maxout":
            raise UsageError("--mixed-precision is for --networks convolutional: give --no-mixed-precision with maxout")


# What section 3 says, with the sizes and the dropout of the maxout GAN that it follows (Goodfellow et al. 2014).
PAPER = updated(ImageSettings(preset="paper"), {"batch_size": 100, "networks": "maxout"})
# The loss with both penalties and Adam without momentum are R3GAN's (Huang et al. 2024).
BEST = updated(
    ImageSettings(),
    {
        "flips": True,
        "mixed_precision": True,
        "loss": "relativistic",
        "generator_learning_rate": 1e-3,
        "discriminator_learning_rate": 1e-3,
        "momentum": 0.0,
        "adam_beta2": 0.99,
        "decay": "cosine",
        "r1": 0.1,
        "r2": 0.1,
        "generator_ema_decay": 0.995,
    },
)


def preset_of(typed: ImageSettings) -> ImageSettings:
    """The recipe that the typed preset has.

    Example:
        >>> [preset_of(ImageSettings(preset=preset)).architecture.networks for preset in ("paper", "best")]
        ['maxout', 'convolutional']
    """
    return PAPER if typed.preset == "paper" else BEST


def labels_of(settings: ImageSettings) -> dict[str, str]:
    """What every result of a run says of its recipe."""
    # Papers crop CelebA in five ways and the measures change with the crop, so that every result has to name it.
    crop = settings.pictures.crop
    return {
        "preset": settings.preset,
        "networks": settings.architecture.networks,
        "loss": settings.adversarial.loss,
        "crop": "largest" if crop is None else str(crop),
        "features": FEATURES,
    }


def bounds_of(settings: ImageSettings) -> Bounds:
    """Without a bound: a short look at the drawn faces; the paper's 17 epochs of anything else.

    Example:
        >>> bounds_of(ImageSettings()).minutes
        3.5
        >>> bounds_of(ImageSettings(pictures=PictureSettings(data="/data/celeba"))).epochs
        17
    """
    # Five minutes of two cores with all that comes before and after.
    return Bounds(minutes=3.5) if settings.pictures.data == "faces" else Bounds(epochs=17)


@dataclass(frozen=True)
class SampleOptions:
    """What `rlgan sample` takes for pictures."""

    out: Annotated[str | None, TypedPath(), Metavar("FILE")] = None
    """The PNG to write, a grid of pictures. By default samples.png, in the current directory."""
    force: bool = False
    """Replace the file of --out where it is there already."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What `rlgan evaluate` takes for pictures."""

    inception: Annotated[str | None, TypedPath(), Metavar("FILE")] = None
    """A file with the weights of the Inception network: measure the true FID too."""
    cache: Annotated[str | None, TypedPath()] = None
    """Where decoded pictures are kept, as with `rlgan train image`."""
