"""Figures 2 and 5 to 10: ranks of a GPT through training."""
