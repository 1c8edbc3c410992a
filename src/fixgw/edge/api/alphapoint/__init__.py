"""The AlphaPoint dialect: frames on a WebSocket, and the same calls over HTTP."""
