"""A text as tokens: one a character, split into training and validation, cut into batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Integer
from torch import Tensor

from spectrain.core import InputError
from spectrain.training.texts import read_text

CODE_POINTS = 0x110000
VALIDATION = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """A text, one token a character.

    Attributes:
        name: what it is called in reports.
        alphabet: its characters in the order of their tokens.
        train: the first nine tenths, as the smallest integer type that holds the tokens.
        validation: the last tenth, held out.
        facts: where it comes from and its digest, for the manifest.

    Example:
        >>> corpus = Corpus.from_text("to be or not to be", name="hamlet")
        >>> corpus.alphabet
        ' benort'
        >>> corpus.decode(corpus.train)
        'to be or not to b'
    """

    name: str
    alphabet: str
    train: Integer[Tensor, " n"]
    validation: Integer[Tensor, " m"]
    facts: Mapping[str, str | int]

    @classmethod
    def from_text(
        cls, text: str, *, name: str, facts: Mapping[str, str | int] | None = None
    ) -> Corpus:
        """Tokens of a text over its own alphabet.

        Raises:
            InputError: the text is empty.
        """
        if not text:
            raise InputError(f"the text {name!r} is empty", remedy="choose another text")
        alphabet, tokens = _tokenize(text)
        cut = len(tokens) - int(VALIDATION * len(tokens))
        digest = sha256(text.encode()).hexdigest()
        return cls(
            name=name,
            alphabet=alphabet,
            train=tokens[:cut],
            validation=tokens[cut:],
            facts={
                **(facts or {}),
                "characters": len(text),
                "vocabulary": len(alphabet),
                "sha256": digest,
            },
        )

    def batch(
        self,
        split: Literal["train", "validation"],
        *,
        size: int,
        context: int,
        generator: torch.Generator,
    ) -> tuple[Integer[Tensor, "size context"], Integer[Tensor, "size context"]]:
        """Windows drawn uniformly with replacement, and the same moved on by one token.

        Args:
            split: which part of the text.
            size: number of windows.
            context: tokens a window.
            generator: what draws the windows; see :func:`step_generator`.

        Raises:
            InputError: the part is shorter than a window and its next token.
        """
        tokens = getattr(self, split)
        if len(tokens) <= context:
            raise InputError(
                f"the {split} part of the text {self.name!r} has {len(tokens)} characters "
                f"and a window needs {context + 1}",
                remedy="choose a longer text or a shorter context",
            )
        start = torch.randint(len(tokens) - context, (size, 1), generator=generator)
        windows = tokens[start + torch.arange(context + 1)].long()
        return windows[:, :-1], windows[:, 1:]

    def decode(self, tokens: Integer[Tensor, " n"]) -> str:
        """The characters of tokens."""
        return "".join(self.alphabet[token] for token in tokens.tolist())


def load_corpus(source: str | Path = "python", *, characters: int | None = None) -> Corpus:
    """The corpus of a file, a folder, ``"python"`` or ``"shakespeare"``.

    Args:
        source: see :func:`spectrain.training.texts.read_text`.
        characters: keep that many characters from the start; all if ``None``.

    Raises:
        InputError: there is no such text, or it is empty or not text.
    """
    text = read_text(source, characters=characters)
    return Corpus.from_text(text.content, name=text.name, facts=text.facts)


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one step of one run: the same for a step whether or not others preceded it.

    Example:
        >>> first, again = step_generator(seed=0, step=7), step_generator(seed=0, step=7)
        >>> torch.equal(torch.rand(3, generator=first), torch.rand(3, generator=again))
        True
    """
    # The CPU generator keeps 32 bits of its seed: hash both numbers into them.
    (state,) = np.random.SeedSequence((seed, step)).generate_state(1)
    return torch.Generator().manual_seed(int(state))


def _tokenize(text: str) -> tuple[str, Integer[Tensor, " n"]]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    present = np.zeros(CODE_POINTS, dtype=bool)
    present[codes] = True
    alphabet = np.flatnonzero(present)
    token_of = np.zeros(CODE_POINTS, dtype=np.uint8 if len(alphabet) <= 256 else np.int32)
    token_of[alphabet] = np.arange(len(alphabet))
    return "".join(map(chr, alphabet)), torch.from_numpy(token_of[codes])
