"""The engine: the single writer, one thread."""
