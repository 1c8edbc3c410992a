"""The pure core: requests in, events out; no I/O, no clock, no randomness."""
