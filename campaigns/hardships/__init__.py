"""Hardships that a run has to survive, one registered function each."""
