"""The exit codes of fixgw, and which of them a restart cannot help."""

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE: a port or the data directory is taken
EXIT_INVARIANT = 70  # EX_SOFTWARE: an invariant does not hold; restart, and the journal mends it
EXIT_JOURNAL = 74  # EX_IOERR: the journal does not work; nothing was acknowledged that is not in it
EXIT_CONFIG = 78  # EX_CONFIG

FINAL = frozenset({EXIT_OK, EXIT_UNAVAILABLE, EXIT_JOURNAL, EXIT_CONFIG})
"""After these a person is needed, or nobody: the next start would end in the same way."""
