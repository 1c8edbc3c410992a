"""fixgw: a FIX 4.4 gateway that translates cancels."""

__version__ = "0.1.0"
