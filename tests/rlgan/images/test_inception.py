import sys

import numpy as np
import pytest
import torch

from rlgan.errors import RunError
from rlgan.images.inception import inception_fid


def test_inception_weights_that_are_not_there_are_one_line(tmp_path, natural):
    with pytest.raises(RunError, match=r"^\S+none\.pth can't be read: No such file or directory$"):
        inception_fid(natural(2, 8), natural(2, 8), tmp_path / "none.pth")
    with pytest.raises(RunError, match="can't be read: Is a directory"):
        inception_fid(natural(2, 8), natural(2, 8), tmp_path)


class _Code:
    """Read by pickle it would write a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>", b"hello\n", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_a_file_without_weights_is_one_line(tmp_path, content, natural):
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"weights\.pth has no weights of Inception: give \S+ weights-inc") as caught:
        inception_fid(natural(2, 8), natural(2, 8), file)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_can_run_nothing(tmp_path, natural):
    file = tmp_path / "weights.pth"
    torch.save({"fc.weight": _Code(tmp_path / "written")}, file)
    with pytest.raises(RunError, match="has no weights of Inception"):
        inception_fid(natural(2, 8), natural(2, 8), file)
    assert not (tmp_path / "written").exists()


def test_without_the_library_one_line_says_how_to_install_it(tmp_path, monkeypatch, natural):
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(RunError, match=r"needs torch-fidelity .*pip install 'rlgan\[fid\]'$"):
        inception_fid(natural(2, 8), natural(2, 8), tmp_path / "weights.pth")


@pytest.fixture
def inception(tmp_path, monkeypatch):
    """Give random weights in a file as the library reads it."""
    pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed: pip install 'rlgan[fid]'")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file, weights = tmp_path / "weights.pth", {}
    torch.save({}, file)
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, _: weights.update(self.state_dict()))
        FeatureExtractorInceptionV3("inception", ["2048"], str(file))
    torch.save(weights, file)
    return file


@pytest.mark.slow
def test_the_fid_is_that_of_torch_fidelity(inception, natural):
    from torch_fidelity import calculate_metrics

    made = natural(4, 16)
    real = np.repeat(natural(5, 16, seed=1)[..., :1], 3, axis=-1)  # without colour
    data = [[torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures] for pictures in (made, real)]
    sets = [_Pictures(pictures) for pictures in data]
    due = calculate_metrics(
        input1=sets[0],
        input2=sets[1],
        fid=True,
        cuda=False,
        batch_size=4,
        feature_extractor_weights_path=str(inception),
        verbose=False,
    )["frechet_inception_distance"]
    assert due > 0
    assert inception_fid(made, real, inception) == pytest.approx(due, rel=1e-3)
    assert inception_fid(made, made[::-1], inception) == pytest.approx(0, abs=1e-3 * due)


@pytest.mark.slow
@pytest.mark.usefixtures("inception")
def test_weights_of_another_network_are_one_line(tmp_path, natural):
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("other.pth", "list.pth"):
        with pytest.raises(RunError, match=rf"{name} has no weights of Inception: give torch-fidelity's weights-inc"):
            inception_fid(natural(2, 8), natural(2, 8), tmp_path / name)


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.pictures[i]
