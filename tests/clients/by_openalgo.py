"""The client from PyPI's `openalgo`, as it is. Run in .venv-clients with the gateway's address."""

import sys

from openalgo import api


def main(url: str) -> None:
    """Place, look, cancel one, cancel all of a strategy; that of another strategy stays."""
    client = api(api_key="key37", host=url)

    def place(strategy: str, price_type: str = "LIMIT", **prices: object) -> str:
        placed = client.placeorder(
            strategy=strategy,
            symbol="BTC-USD",
            action="BUY",
            exchange="SANDBOX",
            price_type=price_type,
            product="MIS",
            quantity=2,
            **prices,
        )
        assert placed["status"] == "success", placed
        return str(placed["orderid"])

    def status(order_id: str) -> str:
        found = client.orderstatus(order_id=order_id, strategy="S1")
        assert found["status"] == "success", found
        return str(found["data"]["order_status"])

    one, two = place("S1", price=64000), place("S1", price=64000.5)
    stop = place("S1", "SL", price=64000, trigger_price=63000)
    market = place("S1", "MARKET")
    other = place("S2", price=64000)

    book = client.orderbook()
    assert book["status"] == "success", book
    rows = {row["orderid"]: row for row in book["data"]["orders"]}
    assert {one, two, stop, market, other} <= set(rows)
    assert rows[two]["price"] == 64000.5
    assert rows[stop]["order_status"] == "trigger pending"
    assert book["data"]["statistics"]["total_open_orders"] == 5

    canceled = client.cancelorder(order_id=one, strategy="S1")
    assert canceled == {"status": "success", "orderid": one}
    assert status(one) == "cancelled"
    assert client.cancelorder(order_id=one, strategy="S1")["code"] == 400
    assert client.cancelorder(order_id="999999999", strategy="S1")["code"] == 404
    assert client.orderstatus(order_id="999999999", strategy="S1")["code"] == 404

    ended = client.cancelallorder(strategy="S1")
    assert ended["message"] == "Canceled 3 orders. Failed to cancel 0 orders.", ended
    assert ended["canceled_orders"] == [two, stop, market]
    assert [status(order_id) for order_id in (two, stop, market)] == ["cancelled"] * 3
    assert status(other) == "open"
    assert client.cancelallorder(strategy="S2")["canceled_orders"] == [other]

    wrong = api(api_key="wrong", host=url)
    assert wrong.orderbook()["code"] == 403


main(sys.argv[1])
