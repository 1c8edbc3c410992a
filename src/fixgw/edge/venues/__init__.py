"""The venues outside this gateway: a process of its own asks them for the engine, and holds no truth."""
