"""Trials of optimizer set-ups on networks of ten kinds: what short branches tell of the end."""
