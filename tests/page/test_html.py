import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.page.html import Html, document, element, embed_json, join, name, shorten


class Reader(HTMLParser):
    """Collects tags and text as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def read(markup):
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.text(), st.text())
def test_text_and_attributes_come_out_as_they_went_in(text, title):
    reader = read(element("p", text, title=title))
    assert reader.tags == ["p"]
    assert reader.text.replace("\r", "") == text.replace("\r", "")
    assert reader.attributes == [("title", title)]


def test_markup_is_not_escaped_twice():
    assert element("p", element("b", "<"), "&") == "<p><b>&lt;</b>&amp;</p>"
    assert join("<", Html("<br>")) == "&lt;<br>"


def test_attributes():
    assert (
        element("a", class_="x", aria_label="y", hidden=None) == '<a class="x" aria-label="y"></a>'
    )
    assert element("input", type="radio") == '<input type="radio">'


@given(st.text(), st.recursive(st.text() | st.none() | st.integers(), st.lists))
def test_data_cannot_leave_their_element(key, value):
    markup = embed_json({key: value}, id="data")
    assert markup.count("<") == 2
    text = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', markup, re.S)
    assert json.loads(text[1]) == {key: value}


def test_numbers_that_are_none_are_no_data():
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json([float("nan")], id="data")


@given(st.text(max_size=400))
def test_names_are_short_and_whole_in_their_title(text):
    assert len(shorten(text)) <= 162
    reader = read(name(text))
    assert reader.text.replace("\r", "") == shorten(text).replace("\r", "")
    if len(text) > 160:
        assert ("title", text) in reader.attributes
        assert shorten(text)[:20] == text[:20]
        assert shorten(text)[-20:] == text[-20:]


def test_the_policy_names_the_scripts_by_their_hashes():
    page = unescape(document("t", Html("<p>"), data={}, scripts=("let x = 1;", "")))
    # printf 'let x = 1;' | openssl dgst -sha256 -binary | base64
    assert "'sha256-qtc3jf64UXA5J6U02kfQ0Cvn9Uz4wXUaN3NNUVgR2v4='" in page
    assert "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='" in page  # of nothing
    assert "default-src 'none'" in page
