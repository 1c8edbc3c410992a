"""An OpenAlgo server as a venue: REST, and an order book that is read again and again."""
