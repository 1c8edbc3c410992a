"""What the OpenAPI page says of each call, out of the table of calls."""

from typing import Any

from fixgw.edge.api.alphapoint import replies
from fixgw.edge.api.alphapoint.table import Call, Kind

HEADERS = {
    "APToken": "The SessionToken of a login; or the four headers of a signature",
    "APIKey": "The key that names the signer",
    "Signature": "HMAC-SHA256 of Nonce + UserId + APIKey with the key's secret, in lower-case hex",
    "UserId": "The signer's user",
    "Nonce": "A number or text that was not used before",
}


def of_call(call: Call, method: str) -> dict[str, Any]:
    """The arguments of add_api_route that describe `call` with this HTTP method."""
    extra: dict[str, Any] = {"parameters": _headers(call)}
    schema = call.model.model_json_schema(ref_template="#/components/schemas/{model}")
    if method == "GET":
        extra["parameters"] += _query(call, schema)
    else:
        media = {"schema": schema, "example": call.example}
        extra["requestBody"] = {"content": {"application/json": media}, "required": False}
    return {
        "operation_id": f"{method}_{call.name}",
        "summary": call.summary,
        "description": (call.model.__doc__ or "").strip(),
        "response_model": None,
        "responses": {200: {"model": _reply(call), "description": "The reply, or the refusal"}},
        "openapi_extra": extra,
    }


def _reply(call: Call) -> object:
    if call.kind is Kind.LOGIN:
        return replies.LoggedIn | replies.NotLoggedIn | replies.StandardReply
    if call.kind is Kind.ORDER:
        return replies.Accepted | replies.Rejected | replies.StandardReply
    if call.reply is replies.StandardReply:
        return replies.StandardReply
    return call.reply | replies.StandardReply


def _headers(call: Call) -> list[dict[str, Any]]:
    if call.kind is Kind.PUBLIC:
        return []
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.items()
        if not (call.kind is Kind.LOGIN and name == "APToken")
    ]


def _query(call: Call, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The keys as parameters; credentials only go in headers."""
    if call.kind is Kind.LOGIN:
        schema = {"properties": {"grant_type": schema["properties"]["grant_type"]}}
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in of.items() if key not in ("also", "title")},
            **({"example": call.example[name]} if name in call.example else {}),
        }
        for name, of in schema.get("properties", {}).items()
    ]
