"""The dialect of CoinAPI's Execution Management System (EMS): REST calls, and a WebSocket with reports."""
