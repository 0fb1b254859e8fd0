"""Figures 14 and 15: nuclear ranks of the gradient against step and width."""
