"""Well-known public files: where they are published, their checksums, and where they are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spectrain.core import InputError

FOLDER = "SPECTRAIN_DATA"
"""Environment variable that names another folder than the user's cache."""


@dataclass(frozen=True, slots=True)
class PublicFiles:
    """Files that are published at one address.

    Attributes:
        address: what precedes each name.
        digests: by name, the digest that is published with the file, as ``md5:…``.
    """

    address: str
    digests: Mapping[str, str]


PUBLIC: Mapping[str, PublicFiles] = {
    "mnist": PublicFiles(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": PublicFiles(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}
"""By the name that loaders take. The digests are those that torchvision checks."""


def fetch(name: str) -> Path:
    """Fetch files unless they are there already, check their digests, and return their folder.

    Args:
        name: of the files, a key of :data:`PUBLIC`.

    Raises:
        InputError: the name is not known, pooch is not installed, there is no network, or a file
            is not the one that was published.
    """
    if name not in PUBLIC:
        known = ", ".join(PUBLIC)
        raise InputError(f"no files are called {name!r}", remedy=f"choose among: {known}")
    if find_spec("pooch") is None:
        raise InputError(
            "files are fetched by the package pooch, which is not installed",
            remedy="run: pip install 'spectrain-studies[data]'",
        )
    import pooch
    from requests import RequestException

    public = PUBLIC[name]
    pooch.get_logger().setLevel("WARNING")
    store = pooch.create(_kept(name), public.address, registry=dict(public.digests))
    for each in public.digests:
        try:
            store.fetch(each)
        except (RequestException, OSError) as error:
            raise InputError(
                f"{public.address}{each} cannot be fetched ({error})",
                remedy="check the network; or get the file elsewhere and pass its folder",
            ) from None
        except ValueError:  # of pooch, where a digest differs; the file is not kept
            raise InputError(
                f"{public.address}{each} is not the file that was published: its digest is not "
                f"{public.digests[each]}",
                remedy="fetch it again, or elsewhere and pass its folder",
            ) from None
    return Path(store.path)


def fetched(name: str) -> Path | None:
    """The folder of files that were fetched before, all of them; ``None`` if they were not."""
    if find_spec("pooch") is None:
        return None
    folder = _kept(name)
    return folder if all((folder / each).is_file() for each in PUBLIC[name].digests) else None


def _kept(name: str) -> Path:
    import pooch

    return Path(os.environ.get(FOLDER) or pooch.os_cache("spectrain")) / name
