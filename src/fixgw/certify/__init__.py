"""The certification kit: plays numbered scripts against any FIX 4.4 acceptor, and says what did not fit."""
