"""Settings and presets of pictures. No torch, no ray: the command line must answer at once."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.settings import AdversarialLoss, Bounds, Decay, OptimizerName, Preset, _require

ImageNetworks = Literal["maxout", "convolutional"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box"]

FEATURES = "random_convolutions_320"  # the network that pictures are measured by
SIZES = tuple(2**n for n in range(3, 10))  # of pictures


@dataclass(frozen=True)
class ImageConfig:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best we have."""
    data: str = "faces"
    """`faces`, which are drawn here, a directory in the layout of CelebA (img_align_celeba/, list_eval_partition.txt),
    or any directory of pictures."""
    seed: int = 0
    """Of everything random."""
    faces: int = 12_000
    """How many are drawn."""
    size: int = 64
    """S, the side of a picture: a power of 2, 8 or more."""
    crop: int | None = None
    """Side of the square that is cut out of the middle of a picture before it is made smaller. By default 108 of
    CelebA's, of others the largest there is."""
    filter: Filter = "lanczos"
    """How pictures are made smaller."""
    skip_bad: bool = False
    """Leave out pictures that can't be read or are too small, and count them; else the first ends the run."""
    cache: str | None = None
    """Where decoded pictures are kept; every process must see it. By default ~/.cache/rlgan."""
    batch_size: Annotated[int, arg(aliases=["--batch"])] = 32
    """Real pictures, and generated ones, per update."""
    flips: bool = False
    """Mirror half of the real pictures."""
    networks: ImageNetworks = "convolutional"
    """maxout: no convolutions, D of maxout units, G of rectifiers and a sigmoid; convolutional: nothing else."""
    noise_size: int = 64
    """Z, the size of the generator's noise from N(0, I)."""
    generator_units: int = 1200
    """Of each hidden layer of G, in the maxout pair."""
    units: int = 240
    """Of each hidden layer of its D."""
    pieces: int = 5
    """Of each maxout unit."""
    dropout: float = 0.5
    """On the hidden layers of the maxout D, while it learns."""
    input_dropout: float = 0.2
    """On its pixels."""
    width: int = 32
    """Channels of the convolutional pair's largest maps; they double as maps get smaller, up to 8 times as many."""
    mixed_precision: bool = False
    """Compute the convolutional pair in bfloat16 where that loses little."""
    loss: AdversarialLoss = "non_saturating"
    """What the generator lowers; with relativistic, D's loss is R3GAN's too."""
    discriminator_steps: Annotated[int, arg(aliases=["-k"])] = 1
    """k, updates of the discriminator per update of the generator."""
    optimizer: OptimizerName = "adam"
    """Of both networks."""
    generator_learning_rate: float = 2e-4
    """For G."""
    discriminator_learning_rate: float = 2e-4
    """For D."""
    momentum: float = 0.5
    """SGD's momentum; Adam's first decay rate."""
    adam_beta2: float = 0.999
    """Adam's second decay rate."""
    decay: Decay = "none"
    """How the learning rates fall, to a tenth."""
    decay_epochs: float = 17.0
    """Passes over the data in which they do."""
    r1: float = 0.0
    """Weight of the gradient penalty on real pictures, E |grad D|^2 / 2."""
    r2: float = 0.0
    """The same on generated ones."""
    generator_average: float = 0.0
    """Decay per step of an average of G's weights, which evaluations and samples then use; 0 for none."""
    threads: int = 2
    """Of the learner. They change how sums are rounded, so they belong to the recipe."""

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        return f"image-{self.preset}"

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it."""
        crop = "largest" if self.crop is None else str(self.crop)
        return {
            "preset": self.preset, "networks": self.networks, "loss": self.loss, "crop": crop, "features": FEATURES
        }  # fmt: skip

    @property
    def defaults(self) -> "ImageConfig":
        """The preset that these settings start from."""
        return IMAGE_PRESETS[self.preset]

    @property
    def bounds(self) -> Bounds:
        """Without a bound: a short look at the drawn faces; the paper's 17 epochs of anything else."""
        # Five minutes of two cores with all that comes before and after.
        return Bounds(minutes=3.5) if self.data == "faces" else Bounds(epochs=17)

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        positive = (
            "batch_size noise_size generator_units units pieces width discriminator_steps "
            "generator_learning_rate discriminator_learning_rate decay_epochs threads"
        )
        for name in positive.split():
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("seed", "r1", "r2"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("dropout", "input_dropout", "momentum", "adam_beta2", "generator_average"):
            _require(self, name, "from 0 to less than 1", lambda value: 0 <= value < 1)
        _require(self, "size", "a power of 2, from 8 to 512", lambda value: value in SIZES)
        _require(self, "faces", "12 or more, of which two are held out", lambda value: value >= 12)
        if self.crop is not None:
            _require(self, "crop", f"--size ({self.size}) or more", lambda value: value >= self.size)
        if not self.data:
            raise UsageError("--data is empty: give faces or a directory")
        if self.mixed_precision and self.networks == "maxout":
            raise UsageError("--mixed-precision is for --networks convolutional: give --no-mixed-precision with maxout")


IMAGE_PRESETS: dict[str, ImageConfig] = {
    # What section 3 says, with the sizes and the dropout of the maxout GAN that it follows (Goodfellow et al. 2014).
    "paper": ImageConfig(preset="paper", batch_size=100, networks="maxout"),
    "best": ImageConfig(
        preset="best",
        flips=True,
        mixed_precision=True,
        loss="relativistic",
        generator_learning_rate=1e-3,
        discriminator_learning_rate=1e-3,
        momentum=0.0,
        adam_beta2=0.99,
        decay="cosine",
        r1=0.1,
        r2=0.1,
        generator_average=0.995,
    ),
}
