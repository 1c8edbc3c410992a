"""Wire transcripts: a real gateway, real sockets, and a client that is not QuickFIX."""
