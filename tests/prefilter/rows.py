"""Rows made up by chance, of sellers and of people who meet: easy to tell apart, but for some."""

from random import Random

_GOODS = ("followers", "watches", "coins", "pills", "keys", "likes", "loans", "tickets")
_PITCHES = (
    "cheap {goods}, write me now",
    "buy {goods} today for half the price",
    "who wants {goods}? best deal, send money first",
    "I sell {goods}, limited offer, click the link",
)
_PLACES = ("station", "library", "harbour", "kitchen", "gym", "park", "office", "cinema")
_TALK = (
    "shall we meet at the {place} at noon",
    "I lost my scarf in the {place} yesterday",
    "the {place} was closed, so we walked home",
    "see you at the {place}, bring the children",
)


def rows(count: int, seed: int = 0) -> tuple[list[str], list[bool]]:
    """Texts and whether they sell something; half of them do, and none is there twice."""
    chance = Random(seed)
    texts, violates = [], []
    for number in range(count):
        sells = number % 2 == 0
        texts.append(f"{pitch(chance) if sells else talk(chance)} {number}")
        violates.append(sells)
    return texts, violates


def pitch(chance: Random) -> str:
    """A text that sells something."""
    return chance.choice(_PITCHES).format(goods=chance.choice(_GOODS))


def talk(chance: Random) -> str:
    """A text that does not."""
    return chance.choice(_TALK).format(place=chance.choice(_PLACES))
