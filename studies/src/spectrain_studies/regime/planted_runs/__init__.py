"""Whether the finding tells noise from signal in watched runs."""
