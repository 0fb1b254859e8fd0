"""Whether divergences are announced before the loss shows them."""
