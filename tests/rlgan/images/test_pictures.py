from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from sample_pictures import both

from rlgan.images.pictures import open_source
from rlgan.images.sources import MadePictures


def test_faces_are_drawn_where_they_are_asked_for(made):
    pictures = made("faces", faces=30, size=16)
    assert pictures.train().shape == (25, 16, 16, 3)
    assert pictures.test().shape == (5, 16, 16, 3)
    assert len({array.tobytes() for array in both(pictures)}) == 30
    assert pictures.about == ("25 faces drawn from seed 0 to learn from, 5 held out",)


def test_other_faces_have_another_fingerprint(opened):
    sets = [opened("faces", **settings) for settings in ({}, {"faces": 11}, {"seed": 1}, {"size": 32})]
    assert len({pictures.fingerprint for pictures in sets}) == 4


def test_one_face_is_refused(opened, refusal):
    assert "ask for 2 or more" in refusal(opened, "faces", faces=1)


@dataclass(frozen=True)
class Greys:
    """Pictures of one colour each, as somebody's own data set."""

    count: int
    unusable: tuple[int, ...] = ()
    name: str = "greys"
    size: int = 8
    crop: None = None

    @property
    def settings(self):
        return ("greys", self.count)

    def describe(self):
        return {"train": ["a"], "test": []}, (f"{self.count} greys",)

    def jobs(self):
        greys = range(self.count)
        return {"train": [Grey(grey, grey in self.unusable) for grey in greys[1:]], "test": [Grey(0, False)]}


@dataclass(frozen=True)
class Grey:
    value: int
    unusable: bool

    def make(self):
        picture = np.full((1, 8, 8, 3), self.value, np.uint8)
        digests = ("a",) if self.value == 1 else ()
        if self.unusable:
            return MadePictures(picture[:0], ((f"grey {self.value}", "is too dark"),), digests)
        return MadePictures(picture, (), digests)


def test_a_source_of_ones_own_is_made_by_the_same_contract(tmp_path):
    pictures = open_source(Greys(5), cache=tmp_path)
    assert pictures.about == ("5 greys",)
    with ProcessPoolExecutor(2) as pool:
        pictures.prepare(pool.map, print)
    assert pictures.train()[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert pictures.test()[:, 0, 0, 0].tolist() == [0]
    assert open_source(Greys(6), cache=tmp_path).cache != pictures.cache


def test_what_cant_be_used_of_a_source_of_ones_own_is_refused_or_skipped(tmp_path, refusal):
    source = Greys(5, unusable=(2, 3))
    assert refusal(open_source(source, cache=tmp_path).prepare, map, print).startswith("grey 2 is too dark: ")
    said = []
    pictures = open_source(source, cache=tmp_path, skip_bad=True)
    pictures.prepare(map, said.append)
    assert said[-1] == "2 pictures skipped: grey 2 is too dark; grey 3 is too dark"
    assert pictures.train()[:, 0, 0, 0].tolist() == [1, 4]


def test_a_source_whose_split_is_empty_is_refused(tmp_path, refusal):
    assert "no picture of the train split can be used" in refusal(
        open_source(Greys(1), cache=tmp_path).prepare, map, print
    )
