"""Look-alikes: letters of other scripts that stand in for Latin ones, or Latin ones for theirs.

A letter is folded only inside a word where it is out of place. Text that is written in Cyrillic,
Greek or any other script stays itself. The table is a choice out of Unicode's confusables: letters
that pass for another at a glance, of the same case, and no digits or marks.
"""

# ruff: noqa: RUF001 (letters that look like others are what it is about)

import re
from functools import partial
from typing import Final

from afterguard.policy.characters import letters_of

_LATIN: Final = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_LETTERS: Final = {
    "cyrillic": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "armenian": "\u0531-\u0556\u0561-\u0587",
    "cherokee": "\u13a0-\u13f5\uab70-\uabbf",
    "lisu": "\ua4d0-\ua4f7",
    "coptic": "\u2c80-\u2cee",
}
# By script: its letters, and below each the Latin one.
_PAIRS: Final = {
    "cyrillic": (
        "АВЕЅІЈКМНОРСТУХҮԌԚԜӀасеоруѕіјхһүѵԁԛԝӏ",
        "ABESIJKMHOPCTYXYGQWIaceopysijxhyvdqwl",
    ),
    "greek": ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχ", "ABEZHIKMNOPTYXaikvopux"),
    "armenian": ("ՍՕազհոսցօ", "UOwqhnugo"),
    "cherokee": ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏒᏔᏙᏚᏞᏟᏢᏦᏴᎥᏂᏏᏧꭵꮃꮓꮩꮪꮯ", "DRTAJEWMHGZRWVSLCPKBihbdiwzvsc"),
    "lisu": ("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPDTGKJCZFMNLSRVHWXYAEIOU"),
    "coptic": ("ⲎⲒⲔⲘⲚⲞⲢⲤⲦⲨⲬⲟⲣⲥ", "HIKMNOPCTYXopc"),
}
# Latin letters that hide in words of these scripts; only there does anybody do that.
_HIDDEN_IN: Final = {
    "cyrillic": ("ABCEHKMOPTXYIaceopxyi", "АВСЕНКМОРТХУІасеорхуі"),
    "greek": ("ABEZHIKMNOPTYXov", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧον"),
}

_TO_LATIN: Final = {
    ord(letter): latin
    for letters, latins in _PAIRS.values()
    for letter, latin in zip(letters, latins, strict=True)
}
_BACK: Final = {
    script: str.maketrans(latins, letters) for script, (latins, letters) in _HIDDEN_IN.items()
}
_ANY_FOREIGN: Final = re.compile(f"[{''.join(_LETTERS.values())}]")
_ANY_LATIN: Final = re.compile(f"[{_LATIN}]")
_LOOK_ALIKES: Final = frozenset(map(chr, _TO_LATIN))
_LATIN_LETTERS: Final = frozenset(letters_of(_LATIN))
_SCRIPT_OF: Final = {
    letter: script
    for script, ranges in _LETTERS.items()
    for letter in letters_of(ranges)
    if letter.isalpha()
}
# Letters that no Latin one resembles: they say that a script is really written.
_OWN: Final = {
    script: frozenset(letter for letter, its in _SCRIPT_OF.items() if its == script) - _LOOK_ALIKES
    for script in _LETTERS
}
_WORD: Final = re.compile("[\\w\u0300-\u036f]+")


def folded(text: str) -> str:
    """The text with look-alike letters made those that they stand for; itself when there are none.

    In a word of mixed scripts, the letters that have no look-alike say which script is meant. A
    word of look-alikes alone is Latin when its text is: when it has Latin letters, and none of
    the other script that is not a look-alike.
    """
    if not _ANY_FOREIGN.search(text) or not _ANY_LATIN.search(text):
        return text
    letters = set(text)
    written = frozenset(name for name, own in _OWN.items() if not letters.isdisjoint(own))
    strange = {it for it in letters & _LOOK_ALIKES if _SCRIPT_OF[it] not in written}
    return _WORD.sub(partial(_folded_word, written, strange), text)


def _folded_word(written: frozenset[str], strange: set[str], found: re.Match[str]) -> str:
    word = found.group()
    if word.isascii() or not (strange or _ANY_LATIN.search(word)):
        return word
    letters = set(word)
    latin = letters & _LATIN_LETTERS
    foreign = letters & _SCRIPT_OF.keys()
    if not foreign:
        return word
    scripts = {_SCRIPT_OF[letter] for letter in foreign}
    resemble = foreign <= _LOOK_ALIKES
    if resemble and not latin:
        # A lone Greek letter among Latin ones is a formula.
        stays = scripts & written or (scripts == {"greek"} and len(word) == 1)
        return word if stays else word.translate(_TO_LATIN)
    (script, *more) = scripts
    back = {} if more else _BACK.get(script, {})
    hidden = bool(latin) and all(ord(letter) in back for letter in latin)
    if hidden and (not resemble or script in written):
        return word.translate(back)
    return word.translate(_TO_LATIN) if resemble else word
