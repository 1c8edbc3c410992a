"""The process that faces the world: asyncio, TLS, credentials, limits. It holds no truth and may end any time."""
