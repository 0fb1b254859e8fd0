"""One direction alone."""
