"""The GPT's part of the study descent in seconds."""

from __future__ import annotations

from dataclasses import replace

from spectrain_studies.descent.config_transformer import QUICK, GPTSizes, Transformer

TINY_SIZES = GPTSizes(layers=2, heads=2, width=8, context=8, batch=2, value_embeddings=1)

TINY_TRANSFORMER = Transformer(
    courses=replace(QUICK.courses, network=TINY_SIZES, steps=6, records=3),
    race=replace(
        QUICK.race,
        network=replace(TINY_SIZES, layers=1, value_embeddings=0),
        steps=3,
        records=1,
        moves=0,
    ),
)
