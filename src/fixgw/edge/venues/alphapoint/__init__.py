"""A venue that speaks AlphaPoint: frames on a WebSocket, and the same calls over HTTP while that is down."""
