"""One file a format; each turns a path into a checkpoint without reading its tensors."""
