"""Short stories without end, of a language whose every probability is known.

The grammar (`grammar`, in the notation of `slots`) is compiled (`compile`) to a finite-state automaton (`automaton`)
that says one word per transition. So any amount of text can be drawn from a seed, and how good a generator can become
is known: `Automaton.log_probs` gives the probability of rows.
"""

from functools import cache

from rlgan.text.stories.automaton import Automaton
from rlgan.text.stories.compile import compile_grammar
from rlgan.text.stories.grammar import GRAMMAR
from rlgan.text.stories.slots import Grammar, Option, Slot

__all__ = ["GRAMMAR", "Automaton", "Grammar", "Option", "Slot", "compile_grammar", "stories"]


@cache
def stories() -> Automaton:
    """The automaton of `GRAMMAR`, compiled once.

    Example:
        >>> import numpy as np
        >>> language = stories()
        >>> tokens = language.sample(np.random.default_rng(7), count=1)
        >>> " ".join(language.words[token] for token in tokens)
        'at dawn a strong fairy hurried across the garden . she discovered a kitten and kept it warm . <eos>'
    """
    return compile_grammar(GRAMMAR)
