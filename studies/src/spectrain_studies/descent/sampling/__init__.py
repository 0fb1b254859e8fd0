"""Stable ranks of samples against effective ranks of populations, §2 and Appendix B."""
