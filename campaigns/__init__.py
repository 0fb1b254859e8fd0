"""Long trials of the whole: mutants of the code against its tests, and hardships of a run."""
