"""Embeddings and transformer blocks at their initialisation, §2.2."""
