"""The process that faces the world: TLS, credentials, frames, limits. It holds no truth and may end."""
