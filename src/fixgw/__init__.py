"""fixgw: a FIX 4.4 gateway that translates cancels."""

from importlib.metadata import version

__version__ = version("fixgw")
