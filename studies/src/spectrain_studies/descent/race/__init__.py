"""Where Muon helps on a GPT: the margin against gains, Table 2, and plans."""
