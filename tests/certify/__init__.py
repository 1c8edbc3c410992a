"""The certification kit."""
