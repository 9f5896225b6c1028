"""The Fréchet Inception Distance, for who has the weights: an optional extra, `rlgan[fid]`."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlgan.errors import RunError
from rlgan.learning.distances import Double, frechet_distance

Pictures = NDArray[np.uint8]

CHUNK = 100  # pictures at a time
CPU = torch.device("cpu")
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"


def inception_fid(made: Pictures, real: Pictures, weights: Path, device: torch.device = CPU) -> float:
    """The Fréchet Inception Distance (Heusel et al. 2017), with torch-fidelity's network and resizing to 299 x 299.

    It is larger for fewer pictures, and with fewer than 2,049 on a side the covariances are singular: compare only as
    many. The customary count is 50,000.

    Args:
        made: uint8 [N, S, S, 3], N >= 2.
        real: uint8 [M, S, S, 3], M >= 2.
        weights: torch-fidelity's file, `INCEPTION`.
        device: where the network computes.

    Raises:
        RunError: torch-fidelity can't be imported, or `weights` is no file of its.
    """
    features = InceptionFeatures(weights, device)
    return frechet_distance(features(made), features(real))


class InceptionFeatures:
    """Inception's 2,048 features, by torch-fidelity.

    Args:
        weights: torch-fidelity's file, `INCEPTION`.
        device: where the network computes.

    Raises:
        RunError: torch-fidelity can't be imported, or `weights` is no file of its.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        not_weights = f"{weights} has no weights of Inception: give torch-fidelity's {INCEPTION}"
        try:
            # Read here first, tensors alone: the library's own way of reading would run what a file says.
            torch.load(weights, map_location="cpu", weights_only=True)
        except OSError as error:
            raise RunError(f"{weights} can't be read: {error.strerror or error}") from error
        except (RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError) as error:
            raise RunError(not_weights) from error
        network = _import_network()
        try:
            self.network = network("inception", ["2048"], str(weights)).to(device)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise RunError(not_weights) from error
        self.device = device

    @torch.inference_mode()
    def __call__(self, pictures: Pictures) -> Double:
        """Features float64 [N, 2048] of uint8 [N, S, S, 3]."""
        # Copied, because a memory map is read-only, which torch warns of.
        chunks = (torch.from_numpy(pictures[i : i + CHUNK].copy()) for i in range(0, len(pictures), CHUNK))
        found = [self.network(chunk.to(self.device).permute(0, 3, 1, 2))[0].double().cpu() for chunk in chunks]
        return torch.cat(found).numpy()


def _import_network() -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise RunError(f"the FID needs torch-fidelity ({error}): pip install 'rlgan[fid]'") from error
    except RuntimeError as error:  # from torchvision, where it was built for another torch
        raise RunError(
            f"torch-fidelity needs a torchvision built for torch {torch.__version__} ({error}): "
            "install both from one index"
        ) from error
    return FeatureExtractorInceptionV3
