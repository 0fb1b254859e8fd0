"""The two regimes on a GPT."""
