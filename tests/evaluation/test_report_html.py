"""The page: it loads nothing, runs nothing, hides texts until they are asked for, and escapes."""

from html.parser import HTMLParser

import pytest
from tests.evaluation.runs import judged, row
from tests.samples import answered

from afterguard.evaluation.report import read_report
from afterguard.evaluation.report_html import save_page, visible
from afterguard.flow.ports import Judgement, JudgeRequest

FEW = 20
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)></pre></details>&lt;{{ 7*7 }}"
LOADS = {"src", "href", "srcset", "data", "action", "formaction", "poster", "background", "ping"}


class Page(HTMLParser):
    """What a browser would make of a page, as far as tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "img", "link"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it, and all that was left open inside."""
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Remember it with where it stands."""
        self.texts.append((tuple(self._open), data))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with wrong answers on hostile rows; drawing it takes a moment."""
    rows = [
        row(
            0,
            row_id="<b>id</b>",
            text=HOSTILE,
            expected={"harassment": True},
            tags=("label:<i>", "<u>tag"),
        ),
        row(1),
        row(2, text="x" * 2**20, expected={"harassment": True}),
        row(3, text=f"a wounding text {HOSTILE}", expected={"harassment": True}),
    ]

    def script(request: JudgeRequest) -> Judgement:
        clean = answered(False, score=0.1)
        if "wounding" in request.content:
            return clean._replace(rationale=f"wounding {HOSTILE}")
        return clean._replace(rationale="half a pair: \ud83d and a zero \x00")

    folder = judged(tmp_path_factory.mktemp("html") / "run", rows, script)
    path = save_page(folder, read_report(folder, resamples=FEW))
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def it(written: str) -> Page:
    """The same as a browser would read it."""
    return Page(written)


def test_a_page_loads_nothing_and_runs_nothing(it: Page) -> None:
    names = {tag for tag, _ in it.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "img", "form", "base"}
    for _, attributes in it.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in LOADS & attributes.keys():
            # A part of a drawing may name another part of it.
            assert str(attributes[name]).startswith("#")


def test_a_page_forbids_what_it_does_not_do(it: Page) -> None:
    (policy,) = [
        attributes["content"]
        for tag, attributes in it.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy


def test_no_address_is_in_a_page(written: str) -> None:
    assert "http:" not in written
    assert "https:" not in written
    assert "url(" not in written.replace("url(#", "")


def test_hostile_texts_are_shown_as_they_were_written(it: Page) -> None:
    said = "".join(text for place, text in it.texts if place[-1:] == ("pre",))
    assert said.count(HOSTILE) == 3


def test_texts_and_reasoning_are_hidden_until_they_are_opened(it: Page) -> None:
    places = [place for place, text in it.texts if "wounding" in text]
    assert len(places) == 2
    assert all("details" in place and "summary" not in place for place in places)
    assert not any("open" in attributes for tag, attributes in it.tags if tag == "details")


def test_hostile_ids_and_tags_are_text(it: Page) -> None:
    assert not {"b", "i", "u"} & {tag for tag, _ in it.tags}
    texts = [text for _, text in it.texts]
    for hostile in ("<b>id</b>", "<u>tag", "<i>"):
        assert any(hostile in text for text in texts)


def test_a_text_of_a_megabyte_leaves_a_page_that_opens(written: str) -> None:
    assert len(written) < 300_000
    assert "1,044,576 more characters]" in written


def test_a_page_is_whole_whatever_the_model_wrote(written: str) -> None:
    assert "half a pair: ? and a zero ⟨U+0000⟩" in written
    assert written.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("bell\x07", "bell⟨U+0007⟩"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Zoë 猫 🙂", "Zoë 猫 🙂"),
    ],
)
def test_characters_that_hide_are_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen
