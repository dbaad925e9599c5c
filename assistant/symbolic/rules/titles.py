"""Titles for composed pieces: a phrase pattern filled with words that suit the genre."""

from __future__ import annotations

import random
import re

_WORDS: dict[str, tuple[str, str, str]] = {
    # patterns; adjectives and places ({a}); nouns ({n})
    "blues": (
        "{a} {n} Blues|{a} {n}|{n} on My Mind|Gone Down to {a} {n}|My {a} {n}|{n} Blues Again",
        "Midnight|Dusty|Empty|Lonesome|Muddy|Broken|Delta|Backdoor|Crossroad|Rainy|Low Down|Sunday",
        "Train|Kitchen|River|Bottle|Highway|Whiskey|Lantern|Cotton|Porch|Levee|Monday|Suitcase",
    ),
    "classical": (
        "{n} in {a} Colours|{n} for a {a} Evening|{a} {n}|Little {a} {n}|{n} of the {a} Garden",
        "Autumn|Winter|Quiet|Silver|Distant|Morning|Rose|Solemn|Gentle|Northern|Amber|Pale",
        "Minuet|Sonatina|Prelude|Nocturne|Romance|Aria|Sarabande|Serenade|Invention|Andante|Bagatelle|"
        "Pastorale",
    ),
    "country": (
        "{a} {n}|Back to {a} {n}|That Old {a} {n}|{a} {n} Waltz|Meet Me at the {a} {n}|One More {n}",
        "Tennessee|Gravel|Prairie|Sweetwater|Front Porch|Cedar|Barefoot|Hometown|Blue Ridge|Wildflower|"
        "Rusty|Sunday",
        "Road|Fence|Truck|Creek|Radio|Saddle|Moonshine|Harvest|Mailbox|Barn|Sunrise|Wagon",
    ),
    "disco": (
        "{a} {n}|Dance the {n}|{n} All Night|Feel the {a} {n}|{a} {n} Fever|Under the {a} {n}",
        "Mirror|Velvet|Electric|Saturday|Satin|Golden|Midnight|Neon|Glitter|Starlight|Silver|Paradise",
        "Lights|Groove|Motion|Heat|Dancefloor|Rhythm|Nights|Boulevard|Shoes|Champagne|Sensation|Ball",
    ),
    "hiphop": (
        "{a} {n}|{n} Theory|{a} {n} Tape|No More {n}|{n} on the {a} Block|{a} {n} Flow",
        "Concrete|Corner|Late Night|Basement|Dusty|Subway|Rooftop|Cold|Heavy|Downtown|Crooked|Smoky",
        "Loops|Sneakers|Vinyl|Blocks|Streetlights|Chains|Signals|Bricks|Hustle|Shadows|Verses|Static",
    ),
    "jazz": (
        "{a} {n}|{n} for {a} Street|Blues for {a} {n}|{a} {n} Stomp|Goodbye, {n}|Waltz for {a} {n}|"
        "{n} at the {a} Room",
        "Blue|Harlem|Velvet|Late|Uptown|Smoky|Crooked|Copper|Indigo|Thirteenth|Slow|Paper",
        "Monkey|Lamplight|Eleanor|Avenue|Saxophone|Corner|Matinee|Cigarette|Taxi|Martini|Umbrella|Clara",
    ),
    "metal": (
        "{a} {n}|{n} of the {a}|Throne of {n}|{a} {n} Rising|Beneath the {a} {n}|March of {n}",
        "Iron|Black|Burning|Frozen|Crimson|Fallen|Endless|Ashen|Hollow|Savage|Molten|Forgotten",
        "Serpent|Requiem|Fortress|Wolves|Cathedral|Thunder|Plague|Titans|Furnace|Oblivion|Ravens|Wrath",
    ),
    "pop": (
        "{a} {n}|{n} Tonight|Call It {n}|{a} Kind of {n}|Just Like {n}|All My {n}",
        "Summer|Paper|Sugar|Neon|Golden|Perfect|Secret|Sweet|Seventeen|Bright|Bubblegum|Candy",
        "Hearts|Weekend|Polaroid|Daydream|Fireworks|Sunshine|Butterflies|Echoes|Letters|Glow|Promises|"
        "Rainbows",
    ),
    "reggae": (
        "{a} {n}|{n} in {a} Town|One {n}|{a} {n} Dub|Jah {n}|Sweet {a} {n}",
        "Island|Kingston|Roots|Easy|Sunny|Mango|Natural|Trenchside|Golden|Lion|Coconut|Rising",
        "Skank|Harvest|Breeze|Riddim|Mountain|Livity|Shore|Drum|Love|Morning|Zion|Sunset",
    ),
    "rock": (
        "{a} {n}|{n} Machine|Run {a}, Run|{a} {n} Riot|Straight to {n}|Burn the {n}",
        "Wild|Electric|Broken|Rolling|Loud|Restless|Chrome|Reckless|Stone|Lightning|Backstreet|Howling",
        "Engine|Rebel|Avalanche|Gasoline|Heartbreak|Highway|Dynamite|Voltage|Cadillac|Rumble|Runaway|"
        "Whiplash",
    ),
}  # fmt: skip


_IN_THREE = ("Waltz", "Minuet", "Sarabande")


def title(genre: str, rng: random.Random, *, waltz: bool = False) -> str:
    """A title such as "Midnight Train Blues", safe as a file name; only a piece in three is a waltz."""
    patterns, adjectives, nouns = (
        [word for word in words.split("|") if waltz or not any(dance in word for dance in _IN_THREE)]
        for words in _WORDS[genre]
    )
    text = rng.choice(patterns).format(a=rng.choice(adjectives), n=rng.choice(nouns))
    return re.sub(r"\ba (?=[AEIOU])", "an ", text)
