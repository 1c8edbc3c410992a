"""`fixgw send`."""
