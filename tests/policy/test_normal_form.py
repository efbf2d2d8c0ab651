"""The normal form: disguises are taken off, and text as people write it stays itself."""

# ruff: noqa: RUF001 (letters that look like others are what it is about)

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from afterguard.policy.look_alikes import folded
from afterguard.policy.normal_form import Disguise, disguises, key_form, normal_form

ODD = (
    "paypl aocexi АВсеорху ЖжΑΒαοωՕօᎠꓐⲟ \u0301\u0308\u200b\u200c\u200d\u202e\u200f\u2066\ufe0f"
    "\ufeff\u00ad\u3164\uffa0ｐａ𝐩①²½⒜ﬁĲ👨🏴\U000e0067\U000e007f\U000e0101可クバ가\u1160م\u0915\n"
)
TEXTS = st.text() | st.text(st.sampled_from(ODD))

AS_PEOPLE_WRITE = [
    "Привет, как дела? Это сор.",
    "сор",
    "нет, посмотри на YouTube, у HTC",
    "Telegram-канал и VPNом",
    "Καλημέρα, τι κάνεις; ΟΧΙ",
    "Բարեւ, ինչպես ես",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
    "می\u200cخواهم بروم",
    "क्\u200dष और हिन्दी",
    "日本語の文、いいね！",
    "한국어 문장",
    "naïve café, Straße, ığüşöç, İstanbul, Đặng",
    "❤️ 👨\u200d👩\u200d👧 👍🏽 #️⃣ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "the α coefficient, γ-rays, 5 μm, Δx",
    "5³ and ½ of it, ①",
]


@given(TEXTS)
@example("\u0430\u0308b")
@example("a\ufe0f\u200db")
def test_a_normal_form_is_its_own(text: str) -> None:
    once = normal_form(text)
    assert normal_form(once) == once


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_ascii_is_the_same_object(text: str) -> None:
    assert normal_form(text) is text
    assert key_form(text) is text
    assert disguises(text) == ()


@pytest.mark.parametrize("text", AS_PEOPLE_WRITE)
def test_text_as_people_write_it_stays_itself_and_has_no_disguise(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert unicodedata.normalize("NFKC", normal_form(text)) == unicodedata.normalize("NFKC", text)
    assert folded(text) == text
    assert disguises(text) == ()


@pytest.mark.parametrize(
    ("text", "says", "disguise"),
    [
        ("раураl", "paypal", Disguise.LOOK_ALIKES),
        ("pαypal", "paypal", Disguise.LOOK_ALIKES),
        ("I like а cake", "I like a cake", Disguise.LOOK_ALIKES),
        ("сор is here", "cop is here", Disguise.LOOK_ALIKES),
        ("ᎪᏞᎬᎡᎢ now", "ALERT now", Disguise.LOOK_ALIKES),
        ("ты ублюдoк", "ты ублюдок", Disguise.LOOK_ALIKES),
        ("k\u200bi\u2060l\ufeffl", "kill", Disguise.HIDDEN),
        ("ki\u200dll", "kill", Disguise.HIDDEN),
        ("ki\u00adll", "kill", Disguise.HIDDEN),
        ("kill\U000e0069\U000e0067", "kill", Disguise.HIDDEN),
        ("\u202ekill\u202c", "kill", Disguise.HIDDEN),
        ("𝐟𝐫𝐞𝐞 𝒎𝒐𝒏𝒆𝒚", "free money", Disguise.STYLED),
        ("ｆｒｅｅ", "free", Disguise.STYLED),
        ("ⓕⓡⓔⓔ", "free", Disguise.STYLED),
    ],
)
def test_a_disguise_is_taken_off_and_named(text: str, says: str, disguise: Disguise) -> None:
    assert normal_form(text) == says
    assert disguises(text) == (disguise,)


@pytest.mark.parametrize("text", ["Ｔシャツ２枚", "שלום\u200f, abc", "a\u00a0b…", "10 ㎏"])
def test_forms_that_belong_to_a_script_or_a_keyboard_are_folded_without_a_word(text: str) -> None:
    assert disguises(text) == ()


def test_no_number_changes_its_value() -> None:
    numbers = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "No"
        and unicodedata.normalize("NFKC", chr(code)) != chr(code)
    ]
    assert len(numbers) > 100
    assert [it for it in numbers if normal_form(f"5{it}é") != f"5{it}é"] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("b\u200buy now", "bu\u200by now"),
        ("𝐛𝐮𝐲", "𝒃𝒖𝒚"),
        ("wait…", "wait..."),
        ("a\u00a0b", "a b"),
        ("Ｔシャツ", "Tシャツ"),
    ],
)
def test_dress_alone_makes_no_other_question(one: str, other: str) -> None:
    assert key_form(one) == key_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gооd site paypal.com", "good site pаypal.com"),
        ("photo\u202egpj.exe", "ph\u202eotogpj.exe"),
        ("hi\U000e0061\U000e0062", "hi\U000e0063\U000e0064"),
        ("5³", "53"),
        ("1½", "11⁄2"),
        ("сор", "cop"),
    ],
)
def test_where_the_place_of_a_character_matters_each_text_is_a_question_of_its_own(
    one: str, other: str
) -> None:
    assert key_form(one) != key_form(other)


@given(TEXTS)
def test_a_key_keeps_the_header_and_the_lines_of_a_content(text: str) -> None:
    content = f"[message by user]\n{text}"
    kept = key_form(content)
    assert kept.startswith("[message by user]\n")
    assert kept.count("\n") == content.count("\n")


@given(TEXTS)
def test_a_key_says_what_the_text_says(text: str) -> None:
    assert normal_form(key_form(text)) == normal_form(text)


def test_a_word_of_a_hundred_thousand_letters_is_no_trouble() -> None:
    word = "a" + "é" * 100_000 + "а"
    assert normal_form(word) == "a" + "é" * 100_000 + "a"


def test_of_a_very_long_text_the_beginning_is_looked_at_and_it_is_a_question_of_its_own() -> None:
    beginning = "é" * 10_000
    assert disguises(beginning[:-1] + "\u200b") == (Disguise.HIDDEN,)
    assert disguises(beginning + "\u200b") == ()
    assert key_form(beginning + "\u200b") == beginning + "\u200b"
