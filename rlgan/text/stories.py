"""Short stories without end, of a language whose every probability is known.

The grammar below is compiled to a finite-state automaton that says one word per transition. So any amount of text can
be drawn from a seed, and how good a generator can become is known: `Automaton.log_probs` gives the probability of rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "<unk>"
END = "<eos>"
# The option of rank r has weight r ** -SKEW: some words are common and many are rare, as in real text.
SKEW = 0.3

Items = tuple[str, ...]  # what is still to be said: words, and slots in braces
Memory = tuple[tuple[str, str], ...]  # what was fixed earlier, as (name, value), sorted
Belief = tuple[tuple[int, float], ...]  # what a reader knows, as (state, probability), sorted


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
    return tuple(re.findall(r"\{[^}]*\}|\S+", phrase))


def _ranked(phrases: str) -> list[tuple[float, str]]:
    return [(rank**-SKEW, phrase.strip()) for rank, phrase in enumerate(phrases.split("|"), 1)]


def _rows(table: str) -> dict[str, list[tuple[float, str]]]:
    lines = (line.partition(":") for line in table.strip().splitlines())
    return {key.strip(): _ranked(phrases) for key, _, phrases in lines}


def choose(phrases: str) -> Slot:
    """A slot of free choice: phrases between bars, the commonest first."""
    return Slot({"": tuple(Option(weight, _items(phrase)) for weight, phrase in _ranked(phrases))})


def remember(names: str, table: str) -> Slot:
    """A slot of free choice that is remembered: rows `values: phrases`, one value for each of `names`."""
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
    """A slot that what is remembered as `name` decides: rows `value: phrases`."""
    return Slot(
        {value: tuple(Option(weight, _items(phrase)) for weight, phrase in row) for value, row in _rows(table).items()},
        name,
    )


def decide(name: str, by: str, table: str) -> Slot:
    """A slot that says nothing and remembers a value as `name`: rows `value of by: values of name`."""
    return Slot(
        {
            key: tuple(Option(weight, (), ((name, value),)) for weight, value in row)
            for key, row in _rows(table).items()
        },
        by,
    )


# `{slot}` is filled by one of the slot's options, `{a slot}` puts "a" or "an" before it. A story has 11 to 19 words.
GRAMMAR: Grammar = {
    "story": choose(
        "{a nature} {looks} {hero} {manner} {went} {place} . {pronoun} {found} {kind} {a thing} and {deed} ."
        "| {where} {a nature} {looks} {hero} {found} {kind} {a state} {thing} . {pronoun} {manner} {deed} ."
        "| {a nature} {hero} {met} {a trouble} {guest} . {pronoun} {manner} {help} and {parting} ."
        "| {when} {a nature} {looks} {hero} wanted to {wish} . {pronoun} {manner} {means} ."
        "| it {weather} {span} . {a nature} {looks} {hero} {manner} {shelter} and {feeling} ."
        "| {a hero} and {possessive} {friend} {went} {place} . {they} {found} {kind} {a thing} and {deed} ."
        "| {a nature} {looks} {hero} {went} {place} and {found} {kind} {a state} {thing} . {pronoun} {deed} ."
        "| {when} {a looks} {hero} {went} {place} . {pronoun} {found} {kind} {a thing} and {deed} ."
        "| {a nature} {looks} {hero} {manner} {went} {place} and {feeling} ."
        "| {a hero} {went} {place} and {found} {kind} {a thing} ."
    ),
    "when": choose(
        "one day | one morning | long ago | one night | last winter | at dawn | one evening | last spring | yesterday"
        "| last summer | at midnight | one sunday | last night | at noon"
    ),
    "nature": remember(  # "clever", "gentle" and "quiet" heroes show their nature only by what they do
        "nature",
        """
        brave: brave | bold | clever | proud | wild | quiet
        shy: shy | quiet | gentle | timid | lonely
        merry: merry | cheerful | clever | happy | gentle | silly
        """,
    ),
    "manner": given(
        "nature",
        """
        brave: quickly | proudly | boldly | calmly | bravely | soon | suddenly
        shy: quietly | slowly | gently | calmly | secretly | finally | soon
        merry: gladly | quickly | happily | eagerly | soon | suddenly | finally
        """,
    ),
    "feeling": given(
        "nature",
        """
        brave: felt proud | smiled | went home | told everyone | cheered | bowed | sang
        shy: smiled | slept well | went home | told nobody | felt safe | sighed | waited
        merry: laughed | danced | sang | slept well | felt happy | smiled | cheered | went home
        """,
    ),
    "looks": choose(
        "little | young | old | tiny | sleepy | poor | hungry | small | rich | plump | strong | tired | famous"
    ),
    "hero": remember(
        "pronoun motion",
        """
        she legs: girl | fox | queen | mouse | princess | cat | farmer | nurse
        he legs: boy | bear | king | sailor | dog | prince | baker | wolf
        it legs: robot | rabbit | goblin | hedgehog | turtle
        she wings: owl | hen | fairy | goose
        he wings: crow | sparrow | dragon
        it wings: bat | moth
        """,
    ),
    "pronoun": given("pronoun", "she: she\nhe: he\nit: it\nthey: they"),
    "possessive": given("pronoun", "she: her\nhe: his\nit: its\nthey: their"),
    "they": remember("pronoun", "they: they"),
    "friend": choose("friend | sister | brother | cousin | neighbor | father | uncle | aunt"),
    "went": given(
        "motion",
        """
        legs: went | walked | ran | hurried | wandered | came | crept | raced
        wings: flew | came | fluttered | glided | hurried
        """,
    ),
    "place": remember(
        "place",
        """
        forest: into the forest | to the forest
        castle: to the castle | into the castle
        market: to the market
        beach: to the beach | along the beach
        garden: into the garden | across the garden
        barn: into the barn | to the barn
        river: to the river | along the river
        library: to the library
        tower: up the tower | to the tower
        meadow: across the meadow | to the meadow
        cave: into the cave
        harbor: to the harbor | along the harbor
        """,
    ),
    "where": remember(
        "place",
        """
        forest: in the forest | near the forest
        castle: in the castle | behind the castle
        market: at the market
        beach: on the beach
        garden: in the garden | behind the garden
        barn: in the barn | behind the barn
        river: by the river | near the river
        library: in the library
        tower: in the tower | near the tower
        meadow: in the meadow
        cave: in the cave | near the cave
        harbor: by the harbor | near the harbor
        """,
    ),
    "found": choose("found | discovered | spotted"),
    "kind": decide(
        "kind",
        "place",
        """
        forest: path | seed | pet | food
        castle: gem | key | cloth | book
        market: food | toy | cloth | music
        beach: boat | gem | toy
        garden: seed | pet | toy | food
        barn: pet | light | music
        river: boat | pet | gem
        library: book | key | light
        tower: key | light | music | path
        meadow: toy | pet | seed | music
        cave: gem | path | light
        harbor: boat | cloth | book
        """,
    ),
    "state": given(
        "kind",
        """
        path: hidden | narrow | secret | dark | strange | forgotten | long
        seed: tiny | strange | magic | brown | green | golden | small
        pet: lost | tiny | hungry | sleepy | white | lonely | brown | thirsty
        food: sweet | fresh | huge | red | green | small | golden
        gem: golden | shiny | silver | lost | magic | hidden | tiny | strange
        key: rusty | silver | tiny | golden | magic | hidden | old | lost
        cloth: warm | red | soft | blue | torn | white | old | long
        book: secret | strange | torn | forgotten | magic | huge | old | long
        toy: red | blue | painted | broken | lost | small | green
        music: wooden | silver | old | golden | forgotten | broken | magic
        boat: small | wooden | empty | red | white | broken | painted
        light: rusty | bright | old | forgotten | golden | broken | silver
        """,
    ),
    "thing": given(
        "kind",
        """
        path: path | tunnel | trail
        seed: seed | acorn | bean
        pet: kitten | puppy | lamb | pony
        food: apple | cake | pie | melon
        gem: ring | crown | pearl | necklace
        key: key
        cloth: hat | coat | scarf | cloak
        book: book | letter | poem
        toy: ball | kite | doll | balloon
        music: flute | drum | fiddle | harp | bell
        boat: boat | raft | ship
        light: lantern | candle | lamp | torch
        """,
    ),
    "deed": given(
        "kind",
        """
        path: followed it | followed it home | explored it | got lost | drew a map | told {possessive} mother
        seed: planted it | grew a tree | buried it | waited for spring | took it home | hid it
        pet: took it home | fed it milk | hugged it | found its mother | kept it warm | washed it
        food: ate it | shared it | had a feast | took it home | fed the birds | sold it | hid it
        gem: hid it | sold it | gave it away | bought a cottage | told {possessive} mother | wore it home
        key: opened a chest | unlocked the gate | hid it | tried every door | found a treasure | kept it safe
        cloth: wore it home | put it on | mended it | gave it away | washed it | sold it
        book: read it | read it aloud | learned a spell | kept it safe | told {possessive} mother | took it home
        toy: played all day | shared it | mended it | painted it | showed {possessive} friends | took it home
        music: played a tune | played it | woke the village | learned a song | played all night | mended it
        boat: sailed away | rowed home | crossed the water | went fishing | mended it | painted it
        light: lit it | read all night | chased the shadows | explored the dark | took it home | mended it
        """,
    ),
    "met": choose("met | visited | saw | found"),
    "trouble": remember(
        "trouble",
        """
        hungry: hungry | starving
        sad: sad | lonely
        cold: cold | freezing
        lost: lost
        tired: tired | sleepy
        thirsty: thirsty
        """,
    ),
    "guest": remember(
        "object",
        """
        him: wolf | knight | sailor | giant | troll | king
        her: witch | girl | queen | goose | cat
        it: kitten | ghost | robot | lamb | dragon | mouse
        """,
    ),
    "object": given("object", "him: him\nher: her\nit: it"),
    "help": given(
        "trouble",
        """
        hungry: gave {object} some soup | baked {object} a pie | brought warm bread | shared a cake
        sad: told {object} a joke | hugged {object} | sang {object} a song | made {object} laugh
        cold: gave {object} a blanket | lit a fire | made {object} hot tea | lent {object} a coat
        lost: showed {object} the way | drew {object} a map | walked {object} home | took {object} home
        tired: carried {object} home | offered {object} a bed | sang {object} to sleep | made a soft bed
        thirsty: brought cold water | gave {object} some milk | made {object} some tea | showed {object} a well
        """,
    ),
    "parting": choose(
        "they became friends | both laughed | both felt happy | they danced together | talked for hours"
        "| said goodbye | both smiled | went home"
    ),
    "wish": remember(
        "wish",
        """
        sea: see the sea | cross the sea
        fly: fly | fly high
        cook: bake a cake | bake bread
        friend: find a friend | make friends
        gold: be rich | find gold
        warm: be warm
        star: catch a star | touch the moon
        sing: sing | sing well
        """,
    ),
    "means": given(
        "wish",
        """
        sea: followed the river | built a ship | built a raft | walked all day
        fly: made paper wings | built a balloon | climbed a tower
        cook: bought some flour | lit a fire | opened a book
        friend: smiled at everyone | wrote a letter | shared a cake | knocked next door
        gold: explored a cave | opened a shop | worked every day | saved every coin
        warm: lit a fire | drank hot tea | knitted a scarf | bought a coat
        star: built a ladder | built a tower | climbed the mountain
        sing: joined a choir | practiced every day | followed the birds | learned a tune
        """,
    ),
    "weather": remember(
        "weather",
        """
        rain: rained | poured
        snow: snowed
        wind: was windy | stormed
        hot: was hot | was sunny
        cold: was cold | froze
        """,
    ),
    "span": choose("all day | all week | for days | all morning | that day | that morning"),
    "shelter": given(
        "weather",
        """
        rain: hid under a bridge | opened an umbrella | danced in the puddles | stayed in bed
        snow: built a snowman | threw a snowball | slid down the mountain | fed the birds
        wind: flew a kite | closed every door | sat under a table | chased a flying hat
        hot: swam in the river | sat in the shade | drank cold water | slept under a tree
        cold: lit a fire | ate hot soup | knitted a scarf | drank hot tea
        """,
    ),
}


@dataclass(frozen=True, eq=False)
class Automaton:
    """Says one word per transition, tells a story from state 0 to `<eos>` and begins again in state 0, for ever.

    The transitions are sorted by source, then word, then target. The last state, `anywhere`, leads where the middle of
    the endless text leads: its transitions are those of all others, weighted by the stationary distribution.
    """

    words: tuple[str, ...]  # `<unk>` (never said), `<eos>`, then by alphabet
    sources: NDArray[np.int64]  # [E]
    emitted: NDArray[np.int64]  # [E] indices into words
    targets: NDArray[np.int64]  # [E]
    probabilities: NDArray[np.float64]  # [E] of the transition, given its source
    mean_length: float  # words in a story, with `<eos>`

    @property
    def anywhere(self) -> int:
        """The state of which nothing is known but that the text has gone on for ever."""
        return int(self.sources[-1])

    def sample(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Tell `count` stories, one after another: int64 [tokens], each story with its `<eos>`."""
        end = self.words.index(END)
        # Source + distribution function rises over all transitions, so that one search serves every state.
        cumulative = np.cumsum(self.probabilities)
        first = np.searchsorted(self.sources, self.sources)
        scale = self.sources + (cumulative - cumulative[first] + self.probabilities[first])
        last = np.append(self.sources[1:] != self.sources[:-1], True)
        scale[last] = self.sources[last] + 1.0
        states = np.zeros(count, dtype=np.int64)
        telling = np.arange(count)
        columns = []
        while len(telling):
            edges = np.searchsorted(scale, states[telling] + generator.random(len(telling)), side="right")
            column = np.full(count, -1)
            column[telling] = self.emitted[edges]
            states[telling] = self.targets[edges]
            columns.append(column)
            telling = telling[self.emitted[edges] != end]
        stories = np.stack(columns, axis=1)
        return stories[stories >= 0]

    def log_probs(self, tokens: NDArray[np.int64], mask: NDArray[np.bool_], *, from_start: bool) -> NDArray[np.float64]:
        """The log-probability of each row: the forward algorithm, a sum over every path that says these words.

        Args:
            tokens: int64 [N, T], indices into `words`, or len(words) where nothing stands.
            mask: bool [N, T], true for a row's tokens and false after them; what stands there does not count.
            from_start: rows begin where a story does; else anywhere in the endless text.

        Returns:
            float64 [N], natural logarithm, -inf where no path says the row.
        """
        count, length = tokens.shape
        radix = len(self.words) + 1  # the blank counts as a word that is never said
        keys = self.sources * radix + self.emitted
        result = np.zeros(count)
        # One entry for each state that a row may be in; the weights of a row sum to 1.
        rows = np.arange(count)
        states = np.full(count, 0 if from_start else self.anywhere)
        weights = np.ones(count)
        for t in range(length):
            wanted = states * radix + tokens[rows, t]
            first = np.searchsorted(keys, wanted, side="left")
            fan = np.searchsorted(keys, wanted, side="right") - first
            edges = np.arange(fan.sum()) + np.repeat(first - (np.cumsum(fan) - fan), fan)
            rows = np.repeat(rows, fan)
            weights = np.repeat(weights, fan) * self.probabilities[edges]
            places, entry = np.unique(rows * (self.anywhere + 1) + self.targets[edges], return_inverse=True)
            arriving, weights = weights, np.zeros(len(places))
            np.add.at(weights, entry, arriving)
            rows, states = np.divmod(places, self.anywhere + 1)
            likelihood = np.zeros(count)
            np.add.at(likelihood, rows, weights)
            with np.errstate(divide="ignore"):
                result += np.where(mask[:, t], np.log(likelihood), 0.0)
            weights /= likelihood[rows]
        return result

    @cached_property
    def entropy(self) -> float:
        """Bits per story, exactly; divided by `mean_length` it is the entropy rate of the endless text.

        The state is hidden, so this follows what a reader knows, a distribution over states. Stories are finite, and so
        is the tree of what can be known.
        """
        moves: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
        columns = (self.sources, self.emitted, self.targets, self.probabilities)
        for source, word, target, probability in zip(*(column.tolist() for column in columns), strict=True):
            moves[source].append((word, target, probability))
        end = self.words.index(END)
        bits = 0.0
        reached: dict[Belief, float] = {((0, 1.0),): 1.0}
        while reached:
            following: dict[Belief, float] = defaultdict(float)
            for belief, mass in reached.items():
                heard: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
                for state, weight in belief:
                    for word, target, probability in moves[state]:
                        heard[word][target] += weight * probability
                for word, targets in heard.items():
                    likelihood = sum(targets.values())
                    bits -= mass * likelihood * np.log2(likelihood)
                    if word != end:
                        # Rounded, so that what is known in two ways is met as one.
                        known = tuple(sorted((state, round(p / likelihood, 12)) for state, p in targets.items()))
                        following[known] += mass * likelihood
            reached = following
        return float(bits)


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
        says = option.says
        if article:
            says = ("an" if says[0][0] in "aeiou" else "a", *says)
        recalled = tuple(sorted((dict(memory) | dict(option.remembers)).items()))
        for probability, word, unsaid, memories in _fill(grammar, says + rest, recalled):
            yield option.weight / total * probability, word, unsaid, memories


def compile_grammar(grammar: Grammar, start: str = "{story}") -> Automaton:
    """Compile a grammar, whose slots must not contain themselves, to its automaton.

    A state is what is still to be said and what of the memory that needs: paths with the same future meet in one state.
    """

    @cache
    def needs(items: Items) -> frozenset[str]:
        slots = [grammar[item[1:-1].rpartition(" ")[2]] for item in items if item.startswith("{")]
        inner = [needs(option.says) for slot in slots for options in slot.options.values() for option in options]
        return frozenset(slot.given for slot in slots).union(*inner)

    beginning: tuple[Items, Memory] = ((start, END), ())
    numbers = {beginning: 0}
    waiting = [beginning]
    transitions: dict[tuple[int, str, int], float] = defaultdict(float)
    for items, memory in waiting:  # grows as states are met
        for probability, word, rest, recalled in _fill(grammar, items, memory):
            target = (rest, tuple(pair for pair in recalled if pair[0] in needs(rest))) if rest else beginning
            if target not in numbers:
                numbers[target] = len(numbers)
                waiting.append(target)
            transitions[numbers[items, memory], word, numbers[target]] += probability
    spoken = sorted({word for _, word, _ in transitions} - {END})
    words = (UNKNOWN, END, *spoken)
    index = {word: token for token, word in enumerate(words)}
    edges = sorted((source, index[word], target) for source, word, target in transitions)
    sources, emitted, targets = np.array(edges, dtype=np.int64).T
    probabilities = np.array([transitions[source, words[token], target] for source, token, target in edges])

    visits = _visits(len(numbers), sources, targets, np.where(emitted == index[END], 0.0, probabilities))
    anywhere: dict[tuple[int, int], float] = defaultdict(float)
    stationary = (visits / visits.sum())[sources] * probabilities
    for word, target, probability in zip(emitted.tolist(), targets.tolist(), stationary.tolist(), strict=True):
        anywhere[word, target] += probability
    mixed = sorted(anywhere)
    return Automaton(
        words,
        sources=np.append(sources, np.full(len(mixed), len(numbers))),
        emitted=np.append(emitted, [word for word, _ in mixed]),
        targets=np.append(targets, [target for _, target in mixed]),
        probabilities=np.append(probabilities, [anywhere[key] for key in mixed]),
        mean_length=float(visits.sum()),
    )


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


@cache
def stories() -> Automaton:
    """The automaton of `GRAMMAR`, compiled once."""
    return compile_grammar(GRAMMAR)
