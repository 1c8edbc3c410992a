"""The API, dialect by dialect."""
