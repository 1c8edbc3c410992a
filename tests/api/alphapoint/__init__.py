"""The AlphaPoint dialect."""
