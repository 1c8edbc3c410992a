"""A gateway that is killed, the FIX clients that face it, and the record of what they asked and were told."""
