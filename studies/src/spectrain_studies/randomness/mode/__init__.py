"""One mode: Fokker-Planck equation and simulation."""
