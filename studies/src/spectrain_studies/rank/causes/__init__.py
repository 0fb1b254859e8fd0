"""If not rank, what; and what is as good and cheaper."""
