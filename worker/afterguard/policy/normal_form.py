"""Normal form: what a text says, whatever characters it is dressed in.

Classifiers read the normal form, and kept judgements are found again by a part of it. The model
reads the original, with a word of ours in the header about how it is written.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from afterguard.policy.look_alikes import folded

_JOINED: Final = (
    "\u0600-\u06ff\u0700-\u07ff\u0840-\u08ff\u0900-\u109f\u1780-\u180f\u1820-\u18af\u1900-\u1cff"
    "\ua800-\uabff\U00011000-\U00011fff\U0001e900-\U0001e95f"
)
_PICTURES: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
# Nothing is seen of these, and a reader of the text does not miss them. Joiners stay in scripts
# that are written with them and between emoji; so do the selectors of an emoji's look.
_ZERO_WIDTH: Final = (
    "\u00ad|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u180e|\u200b|[\u2060-\u2064]|\ufeff|\u3164|\uffa0"
    f"|(?<![{_JOINED}])\u200c|(?<![{_JOINED}{_PICTURES}\ufe0f])\u200d"
    "|(?<![\u1800-\u18af])[\u180b-\u180d\u180f]"
)
# Of these it matters which they are and where they stand: they turn the order of what is seen, or
# spell what only a machine reads. The flags of England, Scotland and Wales are spelt like that.
_TURNING: Final = "[\u202a-\u202e\u2066-\u2069\u206a-\u206f\ufff9-\ufffb]"
_UNSEEN_LETTERS: Final = (
    f"(?<![#*0-9{_PICTURES}\u1000-\u109f\u3400-\u9fff\uaa60-\uaa7f])[\ufe00-\ufe0f]"
    "|(?<![\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
    "|(?<!\U0001f3f4)(?<!\U0001f3f4.)(?<!\U0001f3f4..)(?<!\U0001f3f4...)(?<!\U0001f3f4....)"
    "(?<!\U0001f3f4.....)[\U000e0000-\U000e007f]"
)
_DIRECTION_MARK: Final = "[\u061c\u200e\u200f]"
# All of the above, wherever it stands. Patterns that look around are slow, and few texts need them.
_MAY_HIDE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")

_ZERO_WIDTHS: Final = re.compile(_ZERO_WIDTH)
_PLACED: Final = re.compile(f"{_TURNING}|{_UNSEEN_LETTERS}")
_MARKS: Final = re.compile(_DIRECTION_MARK)
_ALL_HIDDEN: Final = re.compile(f"{_ZERO_WIDTH}|{_TURNING}|{_UNSEEN_LETTERS}|{_DIRECTION_MARK}")
# NFKC would make 53 of "5 to the third" and 11/2 of "one and a half": numbers keep their form.
_NUMBERS: Final = re.compile(
    "([\u00b2\u00b3\u00b9\u00bc-\u00be\u2070\u2074-\u2079\u2080-\u2089\u2150-\u215f\u2189"
    "\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3192-\u3195\u3220-\u3229\u3248-\u324f\u3251-\u325f"
    "\u3280-\u3289\u32b1-\u32bf\U0001f100-\U0001f10c]+)"
)
# Latin letters and digits in the dress of symbols: mathematical, circled, squared, raised, wide.
_STYLED: Final = re.compile(
    "[\u02b0-\u02b8\u02e1-\u02e3\u1d2c-\u1d6a\u1d78\u1d9c-\u1dbf\u2071\u207f\u2090-\u209c"
    "\u249c-\u24e9\U0001d400-\U0001d7ff\U0001f110-\U0001f149]"
)
_WIDE: Final = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
# Wide letters are at home among these.
_EAST_ASIAN: Final = re.compile("[\u3001-\u30ff\u3105-\u312f\u3400-\u9fff\uac00-\ud7af]")
_MOST_PASSES: Final = 8
# The event loop waits for these looks: some ten milliseconds, for a text that was made to be slow.
_MOST_LOOKED_AT: Final = 10_000


class Disguise(StrEnum):
    """How the characters of a text hide what it says, in the words that the model reads."""

    HIDDEN = "hidden characters"
    LOOK_ALIKES = "look-alike letters"
    STYLED = "letters in the dress of symbols"


def normal_form(text: str) -> str:
    """The text in NFKC, without characters that nobody sees, look-alike letters folded.

    Plain ASCII is returned as it is, the same object. Numbers keep their form, and so does text in
    any script that is written as people write it.
    """
    if text.isascii():
        return text
    # What is taken away or folded may bring letters together that have a form of their own.
    for _ in range(_MOST_PASSES):
        before, text = text, folded(_composed(_unhidden(text)))
        if text == before:
            break
    return text


def key_form(content: str) -> str:
    """The form in which two contents are the same question, for finding a kept judgement.

    Only what cannot change the meaning is taken away: the dress of letters and zero-width
    characters, wherever they stand. Where the place matters, as with a look-alike letter in the
    name of a bank's site or a mark that turns the order of letters, the content counts as it is.
    So does a content of more than 10,000 characters: nobody sends that in many dresses.
    """
    if content.isascii() or len(content) > _MOST_LOOKED_AT:
        return content
    plain = content
    if _MAY_HIDE.search(content):
        if _PLACED.search(content):
            return content
        plain = _ZERO_WIDTHS.sub("", content)
    plain = _composed(plain)
    return plain if folded(plain) == plain else content


def disguises(text: str) -> tuple[Disguise, ...]:
    """How the characters of a text hide what it says; nothing for text as people write it.

    The first 10,000 characters are looked at.
    """
    if text.isascii():
        return ()
    text = text[:_MOST_LOOKED_AT]
    found = []
    if _MAY_HIDE.search(text) and _hides(text):
        found.append(Disguise.HIDDEN)
    plain = _composed(_unhidden(text))
    if folded(plain) != plain:
        found.append(Disguise.LOOK_ALIKES)
    if _STYLED.search(text) or (_WIDE.search(text) and not _EAST_ASIAN.search(text)):
        found.append(Disguise.STYLED)
    return tuple(found)


def _hides(text: str) -> bool:
    if _ZERO_WIDTHS.search(text) or _PLACED.search(text):
        return True
    # Text from right to left needs marks of direction, and programs add them to it.
    return bool(_MARKS.search(text)) and not _RIGHT_TO_LEFT.search(text)


def _unhidden(text: str) -> str:
    return _ALL_HIDDEN.sub("", text) if _MAY_HIDE.search(text) else text


def _composed(text: str) -> str:
    if unicodedata.is_normalized("NFKC", text):
        return text
    parts = _NUMBERS.split(text)
    # Numbers stand at odd places.
    return "".join(
        part if at % 2 else unicodedata.normalize("NFKC", part) for at, part in enumerate(parts)
    )
