"""An acceptor that is not fixgw: QuickFIX's own package and a small book, with the gaps that venues have."""
