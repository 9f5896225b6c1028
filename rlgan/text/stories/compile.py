"""Compiles a grammar to its automaton."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rlgan.text.stories.automaton import Automaton
from rlgan.text.stories.slots import Grammar, Items, Memory
from rlgan.text.vocabulary import END, UNKNOWN

State = tuple[Items, Memory]
Transitions = dict[tuple[int, str, int], float]  # by (source, word, target), the probability given the source


def _fill(grammar: Grammar, items: Items, memory: Memory) -> Iterator[tuple[float, str, Items, Memory]]:
    """Every way to say the next word: (probability, word, what is still to be said, memory)."""
    head, rest = items[0], items[1:]
    if not head.startswith("{"):
        yield 1.0, head, rest, memory
        return
    article, _, name = head[1:-1].rpartition(" ")
    slot = grammar[name]
    options = slot.options[dict(memory)[slot.given] if slot.given else ""]
    total = sum(option.weight for option in options)
    for option in options:
        # Chosen here, since the article depends on the word that is drawn.
        says = option.says
        if article:
            says = ("an" if says[0][0] in "aeiou" else "a", *says)
        recalled = tuple(sorted((dict(memory) | dict(option.remembers)).items()))
        for probability, word, unsaid, memories in _fill(grammar, says + rest, recalled):
            yield option.weight / total * probability, word, unsaid, memories


def compile_grammar(grammar: Grammar, start: str = "{story}") -> Automaton:
    """Compile a grammar, whose slots must not contain themselves, to its automaton.

    A state is what is still to be said and what of the memory that needs: paths with the same future meet in one state.

    Example:
        >>> from rlgan.text.stories.slots import choose
        >>> automaton = compile_grammar({"story": choose("{a pet} sleeps"), "pet": choose("owl | fox")})
        >>> automaton.words
        ('<unk>', '<eos>', 'a', 'an', 'fox', 'owl', 'sleeps')
        >>> automaton.mean_length
        4.0
    """
    transitions, count = _transitions(grammar, start)
    # Sorted, since Python gives the strings of a set in another order in every process.
    words = (UNKNOWN, END, *sorted({word for _, word, _ in transitions} - {END}))
    index = {word: token for token, word in enumerate(words)}
    # In this order the automaton finds the transitions of a state and a word by a binary search.
    edges = sorted((source, index[word], target) for source, word, target in transitions)
    sources, emitted, targets = np.array(edges, dtype=np.int64).T
    probabilities = np.array([transitions[source, words[token], target] for source, token, target in edges])
    # The end of a story leads back to its beginning: without these transitions every path ends, and so does the sum.
    visits = _visits(count, sources, targets, np.where(emitted == index[END], 0.0, probabilities))
    mixed = _mixed(emitted, targets, (visits / visits.sum())[sources] * probabilities)
    return Automaton(
        words,
        sources=np.append(sources, np.full(len(mixed), count)),
        emitted=np.append(emitted, [word for word, _ in mixed]),
        targets=np.append(targets, [target for _, target in mixed]),
        probabilities=np.append(probabilities, list(mixed.values())),
        mean_length=float(visits.sum()),
    )


def _transitions(grammar: Grammar, start: str) -> tuple[Transitions, int]:
    """The transitions between states, which are numbered as they are met, and how many states there are."""

    @cache
    def needs(items: Items) -> frozenset[str]:
        slots = [grammar[item[1:-1].rpartition(" ")[2]] for item in items if item.startswith("{")]
        inner = [needs(option.says) for slot in slots for options in slot.options.values() for option in options]
        return frozenset(slot.given for slot in slots).union(*inner)

    first: State = ((start, END), ())
    state_index = {first: 0}
    waiting = [first]
    transitions: Transitions = defaultdict(float)
    for items, memory in waiting:  # grows as states are met
        for probability, word, rest, recalled in _fill(grammar, items, memory):
            # What nothing that is left to say asks for is forgotten: else paths with the same future would not meet.
            target = (rest, tuple(pair for pair in recalled if pair[0] in needs(rest))) if rest else first
            if target not in state_index:
                state_index[target] = len(state_index)
                waiting.append(target)
            transitions[state_index[items, memory], word, state_index[target]] += probability
    return transitions, len(state_index)


def _mixed(
    emitted: NDArray[np.int64], targets: NDArray[np.int64], weights: NDArray[np.float64]
) -> dict[tuple[int, int], float]:
    """The sums of weights by (word, target), in their order: the transitions of the state `anywhere`."""
    sums: dict[tuple[int, int], float] = defaultdict(float)
    for word, target, weight in zip(emitted.tolist(), targets.tolist(), weights.tolist(), strict=True):
        sums[word, target] += weight
    return dict(sorted(sums.items()))


def _visits(
    count: int, sources: NDArray[np.int64], targets: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How often a story passes each of `count` states on average, by transitions that stay in the story."""
    here = np.zeros(count)
    here[0] = 1.0
    visits = np.zeros(count)
    while here.any():
        visits += here
        leaving, here = here, np.zeros(count)
        np.add.at(here, targets, leaving[sources] * probabilities)
    return visits
