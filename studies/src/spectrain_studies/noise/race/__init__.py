"""The echo filter as an optimizer."""
