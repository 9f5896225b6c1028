"""A trained discriminator as the reward of anybody's agent."""

import copy
import pickle
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import safetensors.torch
import torch

import envs
import rlgan
import rlgan.envs
from rlgan.cli.main import main
from rlgan.text.corpora.token_kinds import CHARACTERS
from rlgan.text.text_scorer import TextScorer

TEXTS = ["the cat sat .", "a zeppelin", "", "a fox found a key . the fox was glad and"]


@pytest.fixture(scope="module")
def scorer(run):
    return rlgan.load_scorer(run.path)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """The scorer of a run whose rows are windows of a text, which no token ends."""
    folder = tmp_path_factory.mktemp("windows")
    (folder / "lines.txt").write_text("the cat saw a dog\nit ran far away\n" * 60)
    rlgan.train(
        "text",
        data=folder / "lines.txt",
        layout="windows",
        length=6,
        batch_size=8,
        hidden_size=8,
        embedding_size=8,
        workers=0,
        steps=2,
        run_dir=folder / "run",
        say=lambda _: None,
    )
    return rlgan.load_scorer(folder / "run")


def _log_odds(run, scorer, words):
    """By the definition: the discriminator reads the tokens at once."""
    tokens = torch.tensor([[scorer.vocabulary.index(word) for word in words]])
    with torch.no_grad():
        return run.discriminator(tokens)[0].numpy()


def test_it_passes_the_kit_for_scorers(scorer, windows):
    envs.check_scorer(scorer, vocab_size=len(scorer.vocabulary))
    envs.check_scorer(windows, vocab_size=len(windows.vocabulary))


def test_its_environment_is_that_of_training(scorer, windows):
    assert scorer.vocabulary[:2] == ("<unk>", "<eos>")
    assert scorer.env_kwargs == {"vocab_size": len(scorer.vocabulary), "max_length": 12, "stop_token": 1}
    assert windows.env_kwargs == {"vocab_size": 11, "max_length": 6, "stop_token": None}


@pytest.mark.parametrize("reduce", ["sum", "mean", "last"])
def test_a_text_scores_what_the_discriminator_says_of_its_words_unknown_ones_and_end_included(run, scorer, reduce):
    read = [
        ["the", "cat", "sat", ".", "<eos>"],
        ["a", "<unk>", "<eos>"],
        ["<eos>"],
        ["a", "fox", "found", "a", "key", ".", "the", "fox", "was", "glad", "and", "<eos>"],
    ]
    read = [[word if word in scorer.vocabulary else "<unk>" for word in words] for words in read]
    reduction = {"sum": np.sum, "mean": np.mean, "last": lambda values: values[-1]}[reduce]
    due = [reduction(_log_odds(run, scorer, words)) for words in read]
    scores = scorer.score_text(TEXTS, reduce=reduce)
    assert [type(score) for score in scores] == [float] * 4
    np.testing.assert_allclose(scores, due, rtol=1e-5, atol=1e-6)


def test_the_sum_is_the_return_of_an_episode(scorer):
    env = gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs)
    env = envs.DiscriminatorReward(env, scorer, rule="log_odds")
    env.reset(seed=0)
    total, ended, words = 0.0, False, ["the", "cat", "<eos>"]
    for word in words:
        assert not ended
        _, reward, ended, _, _ = env.step(np.int64(scorer.vocabulary.index(word)))
        total += reward
    assert ended
    assert total == pytest.approx(scorer.score_text(["the cat"])[0], rel=1e-5)


@pytest.fixture(scope="module")
def structured(small_settings, tmp_path_factory):
    """A run whose discriminator is structured; its generator learned, and has an average."""
    settings = small_settings | {"preset": "best", "discriminator_form": "structured", "generator_learning_rate": 0.05}
    folder = tmp_path_factory.mktemp("structured")
    return rlgan.train(**settings, steps=2, run_dir=folder / "run", say=lambda _: None)


def test_a_structured_discriminator_is_normalised_over_the_next_tokens(structured):
    """By the definition: log softmax(f)(y given prefix) + log V, which needs no generator."""
    run = structured
    scorer = rlgan.load_scorer(run.path)
    envs.check_scorer(scorer, vocab_size=len(scorer.vocabulary))
    tokens = torch.tensor([[scorer.vocabulary.index(word) for word in ("the", "fox", "<eos>")]])
    with torch.no_grad():
        every = run.discriminator.all_next_log_odds(tokens).log_softmax(dim=-1)
    due = every.gather(2, tokens[..., None]).sum() + 3 * np.log(len(scorer.vocabulary))
    assert scorer.score_text(["the fox"]) == pytest.approx([float(due)], abs=1e-4)


@pytest.mark.parametrize("core", ["gru", "cnn"])
def test_in_its_form_of_training_it_is_f_less_log_g_from_a_z_of_0(structured, small_settings, tmp_path, core):
    """G is the one that wrote in training, which the checkpoint has under this name, and not its average."""
    run = structured
    if core == "cnn":
        settings = small_settings | {"preset": "best", "discriminator_form": "structured", "generator_core": "cnn"}
        run = rlgan.train(**settings, steps=1, run_dir=tmp_path / "run", say=lambda _: None)
    scorer = rlgan.load_scorer(run.path, form="training")
    envs.check_scorer(scorer, vocab_size=len(scorer.vocabulary))
    generator = run.generator
    file = Path(run.path) / "checkpoints" / str(run.step) / "generator.safetensors"
    generator.load_state_dict(safetensors.torch.load_file(file))
    tokens = torch.tensor([[scorer.vocabulary.index(word) for word in ("the", "fox", "<eos>")]])
    with torch.no_grad():
        log_g = generator(tokens, torch.zeros(1, generator.noise_size)).gather(2, tokens[..., None])[..., 0]
        due = run.discriminator(tokens) - log_g
    for reduce, value in (("sum", due.sum()), ("last", due[0, -1])):
        assert scorer.score_text(["the fox"], reduce) == pytest.approx([float(value)], abs=1e-4)


def test_a_plain_discriminator_has_one_form_and_no_others_exist(run, scorer):
    assert rlgan.load_scorer(run.path, form="training").score_text(TEXTS) == scorer.score_text(TEXTS)
    with pytest.raises(rlgan.UsageError, match="form is 'odds': give one of uniform, training"):
        rlgan.load_scorer(run.path, form="odds")


def test_a_text_that_is_full_has_no_room_for_its_end(run, scorer):
    words = ["the"] * 12
    due = _log_odds(run, scorer, words)
    assert scorer.score_text([" ".join(words)], "last") == pytest.approx([due[-1]], rel=1e-5)
    assert scorer.score_text(["the cat <eos>"]) == scorer.score_text([" the  cat\n"])


def test_windows_have_no_end_of_their_own(windows):
    first, second = windows.score_text(["the cat", "the cat <eos>"], "last")
    assert first != second
    assert windows.score_text(["cat <eos> the"], "mean") != windows.score_text(["cat the"], "mean")


@pytest.mark.parametrize(
    ("texts", "reduce", "message"),
    [
        (["the", "the " * 13], "sum", "text 1 has 13 words; the discriminator reads 12 at most"),
        (["the <eos> cat"], "sum", "text 0 goes on after <eos>"),
        (["the"], "median", "reduce is 'median': give one of sum, mean, last"),
        ("the cat", "sum", "one text: give a list of texts"),
    ],
)
def test_bad_texts_are_refused_in_one_sentence(scorer, texts, reduce, message):
    with pytest.raises(rlgan.UsageError) as refused:
        scorer.score_text(texts, reduce)
    assert message in str(refused.value)


def test_text_goes_to_tokens_and_back(scorer):
    assert scorer.tokens("the zebra").tolist() == [scorer.vocabulary.index("the"), scorer.vocabulary.index("<unk>")]
    assert scorer.text(scorer.tokens(" the  cat\nsat <eos>\n")) == "the cat sat"
    assert scorer.score_text(["the\ncat sat ."]) == scorer.score_text(["the cat sat ."])
    characters = TextScorer(scorer, ("<unk>", "<eos>", "a", "b", " "), 12, 1, CHARACTERS.split, CHARACTERS.join)
    assert characters.tokens(" ab?").tolist() == [4, 2, 3, 0]
    assert characters.text(characters.tokens("a b")) == "a b"


def test_no_texts_have_no_scores_and_no_words_are_refused_where_nothing_ends_a_text(scorer, windows):
    assert scorer.score_text([]) == []
    with pytest.raises(rlgan.UsageError, match="text 0 has no words"):
        windows.score_text([" "])


def test_the_score_of_a_text_does_not_depend_on_the_texts_beside_it(scorer):
    together = scorer.score_text(TEXTS)
    np.testing.assert_allclose([scorer.score_text([text])[0] for text in TEXTS], together, rtol=1e-4, atol=1e-5)


def test_loading_leaves_torchs_random_numbers_and_threads_alone(run):
    torch.manual_seed(5)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    rlgan.load_scorer(run.path)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_checkpoint_can_be_chosen(run):
    best, newest = rlgan.load_scorer(run.path), rlgan.load_scorer(run.path, checkpoint="newest")
    assert run.step == 6 or best.score_text(TEXTS) != newest.score_text(TEXTS)
    assert newest.score_text(TEXTS) == rlgan.load_scorer(Path(run.path), "newest").score_text(TEXTS)


def test_runs_without_a_trained_discriminator_of_text_are_refused(small_settings, tmp_path):
    rlgan.train("gaussian", steps=2, run_dir=tmp_path / "gaussian", say=lambda _: None)
    with pytest.raises(rlgan.RunError, match="is a run of gaussian, which has no scorer: give a run of text"):
        rlgan.load_scorer(tmp_path / "gaussian")
    rlgan.train(**small_settings, method="mle", steps=1, run_dir=tmp_path / "mle", say=lambda _: None)
    with pytest.raises(rlgan.RunError, match="was trained by --method mle, which trains no discriminator"):
        rlgan.load_scorer(tmp_path / "mle")


COPIES = {"pickle": lambda env: pickle.loads(pickle.dumps(env)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_an_environment_with_a_trained_discriminator_is_copied_in_mid_text(scorer, copied):
    env = envs.DiscriminatorReward(gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs), scorer)
    env.reset()
    env.step(4)
    again = copied(env)
    first, second = env.step(5), again.step(5)
    assert first[1] == second[1]
    # What one of them reads is nothing to the other.
    env.step(6)
    assert again.step(7)[1] == pytest.approx(_probability(scorer, [4, 5, 7]))


def _probability(scorer, tokens):
    state = scorer.start(1)
    for token in tokens:
        state, log_odds = scorer.score(state, np.array([token]))
    return float(1 / (1 + np.exp(-log_odds[0])))


def test_a_vocabulary_that_does_not_fit_is_refused(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (copy / "vocabulary.json").write_text('["<unk>", "<eos>", "the"]')
    with pytest.raises(rlgan.RunError, match=r"vocabulary\.json has 3 words and"):
        rlgan.load_scorer(copy)


@pytest.mark.slow
def test_a_vocabulary_of_numbers_has_no_unknown_words(tmp_path):
    words = "--preset paper --data oracle --batch-size 4 --embedding-size 4 --hidden-size 4 --workers 0 --steps 1"
    assert main(["train", *words.split(), "--run-dir", str(tmp_path / "run")]) == 0
    oracle = rlgan.load_scorer(tmp_path / "run")
    assert len(oracle.score_text(rlgan.load_run(tmp_path / "run").sample(2))) == 2
    with pytest.raises(rlgan.UsageError, match="text 0: there is the word 'cat', and the vocabulary has no <unk>"):
        oracle.score_text(["17 cat"])


def test_the_environment_has_a_name_that_no_other_package_can_have():
    assert rlgan.envs is envs
    assert rlgan.envs.TextGenerationEnv is envs.TextGenerationEnv
