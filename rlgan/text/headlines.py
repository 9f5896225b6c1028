"""The numbers of an evaluation of text that a person reads first. Imports no torch."""

from collections.abc import Mapping

from rlgan.task import HEADLINES, Better, Headline, Measures, Result, caveat_of_few

REAL_BIGRAMS = "distinct_bigrams_real"

MEASURES = Measures(
    descriptions={
        "validation_perplexity": "2^(bits per token) on validation text; chooses the best checkpoint. Lower is better.",
        "quick_validation_perplexity": "The same of its first rows alone, often: for a curve. Lower is better.",
        "test_perplexity": "The same on test text: reported, never chosen by. Lower is better.",
        "implied_validation_perplexity": "That of softmax(f), the language model in a structured discriminator.",
        "implied_test_perplexity": "The same on test text.",
        "entropy": "Nats per token of the generator's next-token distribution. Near 0: mode collapse.",
    },
    charts={
        "perplexity": (
            "quick_validation_perplexity", "validation_perplexity", "test_perplexity", "implied_test_perplexity",
            "floor_perplexity", "unigram_perplexity",
        ),
        "distinct bigrams": ("distinct_bigrams", REAL_BIGRAMS),
    },
)  # fmt: skip


def headlines(result: Result) -> list[Headline]:
    """Ten numbers at most: perplexities, the quality of samples at the temperature nearest to 1, and D.

    Args:
        result: of `rlgan evaluate`; with `--quick` it has no quality of samples.
    """
    known = _known_perplexities(result)
    coin = {"a coin": 0.5}  # a discriminator that can't tell is right on half of each
    bigrams = {"real text": result[REAL_BIGRAMS]} if REAL_BIGRAMS in result else {}
    # A policy of somebody's own may have no probabilities, and no discriminator.
    found = [
        *_number(result, "validation_perplexity", "lower"),
        *_number(result, "test_perplexity", "lower", known),
        *_number(result, "implied_test_perplexity", "lower", known),
        *_quality(result),
        *_number(result, "discriminator_accuracy_real", "nearer", coin),
        *_number(result, "discriminator_accuracy_generated", "nearer", coin),
        *_number(result, "grammatical", "higher", {"real text": 1.0}),
        *_number(result, "distinct_bigrams", "nearer", bigrams),
        *_number(result, "distinct_sequences", "higher"),
    ]
    return found[:HEADLINES]


def caveats(result: Result) -> list[str]:
    """What the numbers can't tell, where they are of few rows."""
    return caveat_of_few(result["test_rows"], "rows") if "test_rows" in result else []


def _number(result: Result, name: str, better: Better, beside: Mapping[str, float] | None = None) -> list[Headline]:
    label = name.replace("discriminator", "D's").replace("_", " ")
    return [Headline(label, result[name], better, beside or {})] if name in result else []


def _known_perplexities(result: Result) -> dict[str, float]:
    known = {"floor": "floor_perplexity", "unigrams": "unigram_perplexity"}
    return {what: result[name] for what, name in known.items() if name in result}


def _quality(result: Result) -> list[Headline]:
    rows = result.get("quality", [])
    if not rows:
        return []
    row = min(rows, key=lambda each: abs(each["temperature"] - 1))
    floor = result["quality_floor"]
    (frechet,) = [name for name in row if name.startswith("frechet_")]
    shown: dict[str, tuple[str, Better]] = {
        "reverse_lm_score": ("reverse LM score", "lower"),
        frechet: ("n-gram Frechet", "lower"),
        "bleu_4": ("BLEU-4", "higher"),
        "self_bleu_4": ("self-BLEU-4", "nearer"),
    }
    return [
        Headline(f"{label}, T = {row['temperature']:g}", row[name], better, {"real text": floor[name]})
        for name, (label, better) in shown.items()
        if name in row and name in floor
    ]
