# What tests/clients uses of openalgo.

from typing import Any

class api:
    def __init__(self, api_key: str, host: str = ...) -> None: ...
    def placeorder(
        self,
        *,
        strategy: str = ...,
        symbol: str,
        action: str,
        exchange: str,
        price_type: str = ...,
        product: str = ...,
        quantity: object = ...,
        **kwargs: object,
    ) -> dict[str, Any]: ...
    def orderbook(self) -> dict[str, Any]: ...
    def orderstatus(self, *, order_id: str, strategy: str = ...) -> dict[str, Any]: ...
    def cancelorder(self, *, order_id: str, strategy: str = ...) -> dict[str, Any]: ...
    def cancelallorder(self, *, strategy: str = ...) -> dict[str, Any]: ...
