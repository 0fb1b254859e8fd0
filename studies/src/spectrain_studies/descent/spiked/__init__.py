"""Spiked models of §3: how long the nuclear rank stays high."""
