"""The grammar of the stories: a table of what each slot can say."""

from rlgan.text.stories.slots import Grammar, choose, decide, given, remember

# `{slot}` is filled by one of the slot's options, `{a slot}` puts "a" or "an" before it. A story has 11 to 19 words.
# The order within a slot decides how likely each option is: moving one makes other stories and another floor.
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
    # With a friend along, there are two: from here on every pronoun is the plural, whatever the hero was.
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
    # Decided before anything is said of it, because the adjective stands before the noun and depends on it too.
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
