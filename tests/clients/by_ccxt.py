"""ccxt's `ndax`, as it is but for its address. Run in .venv-clients with the gateway's address."""

import sys

import ccxt


def client(url: str) -> ccxt.ndax:
    """A client of user 37. It signs every request until it has signed in."""
    exchange = ccxt.ndax(
        {
            "uid": "37",
            "login": "trader37",
            "password": "trader37-demo",
            "apiKey": "key37",
            "secret": "secret37",
            "rateLimit": 20,  # milliseconds between two requests; they are in its nonces
        }
    )
    exchange.urls["api"] = {"public": f"{url}/AP", "private": f"{url}/AP"}
    return exchange


def converse(exchange: ccxt.ndax) -> None:
    """Load markets, list, place, cancel one, cancel all for one instrument; that of another one stays."""
    assert exchange.fetch_status()["status"] == "ok"
    markets = exchange.load_markets()
    bitcoin, ether = (name for name in markets if markets[name]["id"] in ("25", "26"))
    assert [account["id"] for account in exchange.fetch_accounts()] == ["14", "15"]
    before = {order["id"] for order in exchange.fetch_open_orders()}

    def place(symbol: str, **params: object) -> str:
        return str(exchange.create_order(symbol, "limit", "buy", 2, 64000, dict(params))["id"])

    def is_open(*order_ids: str) -> bool:
        return set(order_ids) <= {order["id"] for order in exchange.fetch_open_orders()}

    one, two, three, other = (
        place(bitcoin),
        place(bitcoin),
        place(bitcoin, triggerPrice="63000"),
        place(ether),
    )
    assert is_open(one, two, three, other)
    found = exchange.fetch_order(one)
    assert (found["status"], found["symbol"], found["side"]) == ("open", bitcoin, "buy"), found
    assert (found["price"], found["amount"], found["filled"]) == (64000, 2, 0), found

    exchange.cancel_order(one)
    assert exchange.fetch_order(one)["status"] == "canceled"
    try:
        exchange.cancel_order("999999999")
    except ccxt.OrderNotFound:
        pass
    else:
        raise AssertionError("an order that nobody has was canceled")

    exchange.cancel_all_orders(bitcoin)
    assert not is_open(two)
    assert not is_open(three)
    assert is_open(other), "a cancel for one instrument reached another"
    exchange.cancel_all_orders()
    assert {order["id"] for order in exchange.fetch_open_orders()} <= before


def main(url: str) -> None:
    """Once with signed requests, once with a session token; and not with a wrong password."""
    converse(client(url))
    signed_in = client(url)
    signed_in.sign_in()
    converse(signed_in)


main(sys.argv[1])
