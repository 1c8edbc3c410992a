"""The process that faces the clients: it owns the FIX port, and passes on what is safe."""
