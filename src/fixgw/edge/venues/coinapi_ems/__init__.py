"""CoinAPI's Execution Management System (EMS) as a venue: REST for requests, a WebSocket for reports."""
