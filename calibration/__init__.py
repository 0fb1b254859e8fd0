"""How often each answer is wrong where nothing is there, and right where something was planted."""
