import itertools
import math
import re

import numpy as np
import pytest

from rlgan.text.stories import Grammar, Option, Slot, compile_grammar, stories
from rlgan.text.vocabulary import END, UNKNOWN

# Whoever is "old" is bold or shy, which only the end may show: "old hid" is told in two ways.
SMALL: Grammar = {
    "story": Slot({"": (Option(1, ("{mood}", "{end}")),)}),
    "mood": Slot(
        {
            "": (
                Option(1, ("old",), (("mood", "bold"),)),
                Option(1, ("old",), (("mood", "shy"),)),
                Option(2, ("bold",), (("mood", "bold"),)),
            )
        }
    ),
    "end": Slot({"bold": (Option(3, ("ran", "home")), Option(1, ("hid",))), "shy": (Option(5, ("hid",)),)}, "mood"),
}
# By pen and paper.
SMALL_STORIES = {
    ("old", "ran", "home", END): 3 / 16,
    ("old", "hid", END): 1 / 16 + 4 / 16,
    ("bold", "ran", "home", END): 6 / 16,
    ("bold", "hid", END): 2 / 16,
}


@pytest.fixture(scope="module")
def small():
    return compile_grammar(SMALL)


def probability(automaton, words, *, from_start):
    tokens = np.array([[automaton.words.index(word) for word in words]])
    return math.exp(automaton.log_probs(tokens, np.ones_like(tokens, dtype=bool), from_start=from_start)[0])


def continued(text, window):
    """The probability that `text`, and then endlessly stories, begins with `window`."""
    length = min(len(text), len(window))
    if text[:length] != window[:length]:
        return 0.0
    if len(text) >= len(window):
        return 1.0
    return sum(p * continued(story, window[length:]) for story, p in SMALL_STORIES.items())


def told(automaton, count, seed=0):
    """Stories in rows, filled with len(words), and the mask."""
    tokens = automaton.sample(np.random.default_rng(seed), count)
    split = np.split(tokens, np.flatnonzero(tokens == automaton.words.index(END)) + 1)[:-1]
    rows = np.full((count, max(map(len, split))), len(automaton.words))
    for row, story in zip(rows, split, strict=True):
        row[: len(story)] = story
    return rows, rows < len(automaton.words)


def path_probabilities(automaton, tokens, state=0):
    """The probability of each path that says `tokens`: the definition, one path after another."""
    if not tokens:
        yield 1.0
        return
    for edge in np.flatnonzero((automaton.sources == state) & (automaton.emitted == tokens[0])):
        for rest in path_probabilities(automaton, tokens[1:], automaton.targets[edge]):
            yield automaton.probabilities[edge] * rest


def test_a_story_has_the_sum_of_the_probabilities_of_its_paths(small):
    for story, p in SMALL_STORIES.items():
        assert probability(small, story, from_start=True) == pytest.approx(p)


def test_a_story_that_is_cut_has_the_probability_of_all_that_begin_so(small):
    assert probability(small, ("old",), from_start=True) == pytest.approx(8 / 16)
    assert probability(small, ("bold", "ran"), from_start=True) == pytest.approx(6 / 16)


def test_every_window_has_its_probability_in_the_endless_text(small):
    mean_length = sum(p * len(story) for story, p in SMALL_STORIES.items())
    windows = list(itertools.product(small.words, repeat=4))
    due = [
        sum(
            p / mean_length * continued(story[begin:], window)
            for story, p in SMALL_STORIES.items()
            for begin in range(len(story))
        )
        for window in windows
    ]
    tokens = np.array(list(itertools.product(range(len(small.words)), repeat=4)))
    log_probs = small.log_probs(tokens, np.ones_like(tokens, dtype=bool), from_start=False)
    assert sum(due) == pytest.approx(1)
    np.testing.assert_allclose(np.exp(log_probs), due, atol=1e-12)


def test_what_follows_the_mask_does_not_count(small):
    tokens = np.array([[small.words.index(word) for word in ("bold", "hid", END, "home", "home")]])
    mask = np.array([[True, True, True, False, False]])
    assert small.log_probs(tokens, mask, from_start=True)[0] == pytest.approx(math.log(2 / 16))


def test_an_impossible_row_has_no_probability_and_leaves_its_neighbours_alone(small):
    names = [("old", "home", END), ("bold", "hid", END), (UNKNOWN, "hid", END)]
    tokens = np.array([[small.words.index(word) for word in row] for row in names])
    log_probs = small.log_probs(tokens, np.ones_like(tokens, dtype=bool), from_start=True)
    np.testing.assert_allclose(log_probs, [-np.inf, math.log(2 / 16), -np.inf])


def test_entropy_and_mean_length_are_those_of_the_list_of_all_stories(small):
    assert small.entropy == pytest.approx(-sum(p * math.log2(p) for p in SMALL_STORIES.values()))
    assert small.mean_length == pytest.approx(sum(p * len(story) for story, p in SMALL_STORIES.items()))


def test_stories_are_told_as_often_as_they_are_probable(small):
    count = 20_000
    rows, mask = told(small, count)
    texts = [tuple(small.words[token] for token in row[inside]) for row, inside in zip(rows, mask, strict=True)]
    assert set(texts) == set(SMALL_STORIES)
    for story, p in SMALL_STORIES.items():
        assert abs(texts.count(story) / count - p) < 4 * math.sqrt(p * (1 - p) / count)


def test_the_article_fits_the_word_after_it():
    animals = Slot({"": (Option(1, ("owl",)), Option(1, ("fox",)))})
    automaton = compile_grammar({"story": Slot({"": (Option(1, ("{a animal}",)),)}), "animal": animals})
    assert probability(automaton, ("an", "owl", END), from_start=True) == pytest.approx(1 / 2)
    assert probability(automaton, ("an", "fox", END), from_start=True) == 0


def test_the_same_seed_tells_the_same_stories():
    first, again, other = (stories().sample(np.random.default_rng(seed), 100) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[:1000], other[:1000])


def test_transitions_leave_every_state_with_probability_one_and_none_leads_into_anywhere():
    automaton = stories()
    np.testing.assert_allclose(np.bincount(automaton.sources, automaton.probabilities), 1)
    assert automaton.targets.max() < automaton.anywhere


def test_a_story_has_11_to_19_words_and_ends_with_a_full_stop():
    automaton = stories()
    rows, mask = told(automaton, 10_000)
    lengths = mask.sum(axis=1) - 1
    assert lengths.min() == 11
    assert lengths.max() == 19
    assert (rows[np.arange(len(rows)), lengths - 1] == automaton.words.index(".")).all()


def test_the_vocabulary_is_250_to_400_plain_words():
    words = stories().words
    assert words[:2] == (UNKNOWN, END)
    assert 250 <= len(words) == len(set(words)) <= 400
    assert all(re.fullmatch(r"[a-z]+|\.", word) for word in words[2:])


def test_real_stories_have_the_sum_of_their_paths_and_some_have_several():
    automaton = stories()
    rows, mask = told(automaton, 60)
    log_probs = automaton.log_probs(rows, mask, from_start=True)
    several = 0
    for row, inside, log_prob in zip(rows, mask, log_probs, strict=True):
        paths = list(path_probabilities(automaton, row[inside].tolist()))
        assert math.exp(log_prob) == pytest.approx(sum(paths))
        several += len(paths) > 1
    assert several > 0


def test_the_mean_of_the_log_probability_is_the_entropy():
    automaton = stories()
    bits = -automaton.log_probs(*told(automaton, 10_000), from_start=True) / math.log(2)
    assert abs(bits.mean() - automaton.entropy) < 4 * bits.std() / math.sqrt(len(bits))


def test_the_mean_length_is_that_of_the_stories_told():
    _, mask = told(stories(), 10_000)
    lengths = mask.sum(axis=1)
    assert abs(lengths.mean() - stories().mean_length) < 4 * lengths.std() / math.sqrt(len(lengths))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("one day a little fox went to the library . she found a key and opened a chest .", "he"),
        ("a crow flew to the beach and found a ball .", "lantern"),
        ("one day a little fox went to the library . she found a key and opened a chest .", "boat"),
        ("a brave owl saw a hungry kitten . she calmly baked it a pie and said goodbye .", "him"),
    ],
)
def test_a_hero_keeps_the_pronoun_a_place_its_things_and_a_thing_its_use(right, wrong):
    due = {"he": "she", "lantern": "ball", "boat": "key", "him": "it"}[wrong]
    automaton = stories()
    assert probability(automaton, (*right.split(), END), from_start=True) > 0
    assert probability(automaton, (*right.replace(f" {due} ", f" {wrong} ").split(), END), from_start=True) == 0
