"""Replicas of a known signal under every kind of noise."""
