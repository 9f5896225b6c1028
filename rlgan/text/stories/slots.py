"""The slots that a grammar is made of, and the short notation in which its table is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# The option of rank r has weight r ** -SKEW: some words are common and many are rare, as in real text.
SKEW = 0.3

Items = tuple[str, ...]  # what is still to be said: words, and slots in braces
Memory = tuple[tuple[str, str], ...]  # what was fixed earlier, as (name, value); of a state sorted


@dataclass(frozen=True)
class Option:
    """One way to fill a slot."""

    weight: float
    says: Items  # words and slots; may be empty
    remembers: Memory = ()


@dataclass(frozen=True)
class Slot:
    """The options of a slot, by the value that `given` has in memory (the key is "" where nothing is given)."""

    options: Mapping[str, tuple[Option, ...]]
    given: str = ""


Grammar = Mapping[str, Slot]


def _items(phrase: str) -> Items:
    # A slot in braces may hold a space, as `{a thing}`: splitting at spaces alone would cut it in two.
    return tuple(re.findall(r"\{[^}]*\}|\S+", phrase))


def _ranked(phrases: str) -> list[tuple[float, str]]:
    return [(rank**-SKEW, phrase.strip()) for rank, phrase in enumerate(phrases.split("|"), 1)]


def _rows(table: str) -> dict[str, list[tuple[float, str]]]:
    lines = (line.partition(":") for line in table.strip().splitlines())
    return {key.strip(): _ranked(phrases) for key, _, phrases in lines}


def choose(phrases: str) -> Slot:
    """A slot of free choice: phrases between bars, the commonest first.

    Example:
        >>> [(round(option.weight, 3), option.says) for option in choose("a cat | the {small thing}").options[""]]
        [(1.0, ('a', 'cat')), (0.812, ('the', '{small thing}'))]
    """
    return Slot({"": tuple(Option(weight, _items(phrase)) for weight, phrase in _ranked(phrases))})


def remember(names: str, table: str) -> Slot:
    """A slot of free choice that is remembered: rows `values: phrases`, one value for each of `names`.

    Example:
        >>> option = remember("who where", "cat home: the cat at home").options[""][0]
        >>> option.says, option.remembers
        (('the', 'cat', 'at', 'home'), (('who', 'cat'), ('where', 'home')))
    """
    return Slot(
        {
            "": tuple(
                Option(weight, _items(phrase), tuple(zip(names.split(), values.split(), strict=True)))
                for values, row in _rows(table).items()
                for weight, phrase in row
            )
        }
    )


def given(name: str, table: str) -> Slot:
    r"""A slot that what is remembered as `name` decides: rows `value: phrases`.

    Example:
        >>> slot = given("who", "cat: purrs | sleeps \n dog: barks")
        >>> {value: [option.says for option in options] for value, options in slot.options.items()}
        {'cat': [('purrs',), ('sleeps',)], 'dog': [('barks',)]}
    """
    return Slot(
        {value: tuple(Option(weight, _items(phrase)) for weight, phrase in row) for value, row in _rows(table).items()},
        name,
    )


def decide(name: str, by: str, table: str) -> Slot:
    """A slot that says nothing and remembers a value as `name`: rows `value of by: values of name`.

    Example:
        >>> slot = decide("sound", by="who", table="cat: meow | purr")
        >>> slot.given, [option.remembers for option in slot.options["cat"]]
        ('who', [(('sound', 'meow'),), (('sound', 'purr'),)])
    """
    return Slot(
        {
            key: tuple(Option(weight, (), ((name, value),)) for weight, value in row)
            for key, row in _rows(table).items()
        },
        by,
    )
