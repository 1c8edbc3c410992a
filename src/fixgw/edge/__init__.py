"""The process that faces the world: connections, TLS, Logons and limits of the FIX port; no truth."""
