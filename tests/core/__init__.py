"""Unit tests of the pure core: one file per source file, no process, no socket, no clock."""
