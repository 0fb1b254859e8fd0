"""Elements of pages: HTML that is safe by construction, numbers in words, curves, tables."""
