"""Spectra of a character model's heads, and life without their bulk."""
