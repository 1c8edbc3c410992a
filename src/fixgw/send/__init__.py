"""`fixgw send`: FIX from the command line, to this gateway or to any other acceptor."""
