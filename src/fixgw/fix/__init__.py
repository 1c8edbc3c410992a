"""The FIX 4.4 door: everything that knows FIX tags, and the only package that imports QuickFIX."""
