"""Replicas of a GPT's gradients."""
