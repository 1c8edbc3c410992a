"""fixgw: a FIX 4.4 gateway that translates cancels."""
