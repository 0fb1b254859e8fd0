from hashlib import sha256
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.training.corpus import Corpus, load_corpus, step_generator

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(texts)
def test_tokens_decode_to_the_text(text):
    corpus = Corpus.from_text(text, name="t")
    assert corpus.decode(corpus.train) + corpus.decode(corpus.validation) == text
    assert corpus.alphabet == "".join(sorted(set(text)))
    assert len(corpus.validation) == len(text) // 10
    assert corpus.facts["vocabulary"] == len(set(text))
    assert corpus.facts["sha256"] == sha256(text.encode()).hexdigest()


def test_a_large_alphabet_gets_larger_tokens():
    small = Corpus.from_text("".join(map(chr, range(256))), name="t")
    large = Corpus.from_text("".join(map(chr, range(257))), name="t")
    assert (small.train.dtype, large.train.dtype) == (torch.uint8, torch.int32)
    assert large.decode(large.validation)[-1] == chr(256)


def test_an_empty_text_is_refused():
    with pytest.raises(InputError, match="the text 'nothing' is empty"):
        Corpus.from_text("", name="nothing")


def test_batches_are_windows_and_their_successors():
    corpus = Corpus.from_text("abcdefghij" * 30, name="t")
    tokens, targets = corpus.batch("train", size=50, context=7, generator=step_generator(0, 0))
    assert tokens.shape == targets.shape == (50, 7)
    assert tokens.dtype == torch.int64
    assert torch.equal((tokens + 1) % 10, targets)
    assert torch.equal(tokens[:, 1:], targets[:, :-1])


def test_windows_start_everywhere_and_only_in_their_part():
    corpus = Corpus.from_text("".join(map(chr, range(100, 140))), name="t")
    splits: list[Literal["train", "validation"]] = ["train", "validation"]
    for split, part in zip(splits, (corpus.train, corpus.validation), strict=True):
        drawn = corpus.batch(split, size=1000, context=2, generator=step_generator(0, 0))
        assert set(drawn[0][:, 0].tolist()) == set(part[:-2].tolist())
        assert set(drawn[1][:, -1].tolist()) == set(part[2:].tolist())


def test_a_step_has_its_batch_whatever_came_before():
    corpus = Corpus.from_text("to be or not to be, that is the question " * 20, name="t")

    def batch(seed, step):
        generator = step_generator(seed, step)
        return corpus.batch("train", size=8, context=5, generator=generator)[0]

    first = [batch(1, step) for step in range(5)]
    torch.rand(7)
    assert torch.equal(batch(1, 3), first[3])
    assert len({tuple(tokens.flatten().tolist()) for tokens in [*first, batch(2, 3)]}) == 6


def test_batches_leave_the_global_generator_alone():
    corpus = Corpus.from_text("hello world, hello", name="t")
    before = torch.get_rng_state()
    corpus.batch("train", size=4, context=5, generator=step_generator(0, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_small_batches_of_a_step_are_the_large_one():
    corpus = Corpus.from_text("to be or not to be, that is the question " * 20, name="t")
    generator = step_generator(0, 0)
    halves = [corpus.batch("train", size=4, context=5, generator=generator)[0] for _ in range(2)]
    whole = corpus.batch("train", size=8, context=5, generator=step_generator(0, 0))[0]
    assert torch.equal(torch.cat(halves), whole)


def test_seeds_and_steps_do_not_collide_in_32_bits():
    seeds = {step_generator(seed, step).initial_seed() for seed in range(20) for step in range(20)}
    assert len(seeds) == 400


def test_a_part_shorter_than_a_window_is_named():
    corpus = Corpus.from_text("0123456789" * 5, name="digits")
    corpus.batch("validation", size=1, context=4, generator=step_generator(0, 0))
    with pytest.raises(InputError, match=r"validation part of the text 'digits' has 5 .* needs 6"):
        corpus.batch("validation", size=1, context=5, generator=step_generator(0, 0))


def test_load_corpus_reads_a_file_and_limits_it(tmp_path):
    file = tmp_path / "poem.txt"
    file.write_text("roses are red", encoding="utf-8")
    corpus = load_corpus(file, characters=5)
    assert corpus.name == "poem.txt"
    assert corpus.decode(torch.cat([corpus.train, corpus.validation])) == "roses"
    assert corpus.facts["characters"] == 5
    assert corpus.facts["source"] == str(file)
