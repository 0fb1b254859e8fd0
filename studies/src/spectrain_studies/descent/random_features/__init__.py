"""Figures 3 and 11: regression on random features of low and of high stable rank."""
