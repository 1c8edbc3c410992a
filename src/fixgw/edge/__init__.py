"""The edge: the process that owns the FIX port, and passes to the engine only what is safe."""
