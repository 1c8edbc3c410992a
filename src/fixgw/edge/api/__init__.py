"""The documented APIs over HTTP and WebSocket: a process of its own, which holds no truth either."""
