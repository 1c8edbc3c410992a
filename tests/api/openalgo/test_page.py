"""docs/api-openalgo.md shows a conversation that a new gateway holds, to the letter."""

import re
from pathlib import Path

import httpx

from tests.gateway import ROOT, Gateway

PAGE = (ROOT / "docs" / "api-openalgo.md").read_text(encoding="utf-8")
EXCHANGE = re.compile(r"^POST (\S+) (\{.*\})\n  (?:(\d{3}) )?(\{.*\})$", re.MULTILINE)
TIMESTAMP = re.compile(r'"timestamp":"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d"')


def test_the_conversation_on_the_page_is_true(tmp_path: Path) -> None:
    exchanges = EXCHANGE.findall(PAGE)
    assert len(exchanges) == 11
    with Gateway(tmp_path / "data", api=True) as gateway:
        base_url = f"http://127.0.0.1:{gateway.api_port}"
        with httpx.Client(base_url=base_url, headers={"Content-Type": "application/json"}) as client:
            for path, body, status_code, reply in exchanges:
                answer = client.post(path, content=body)
                assert answer.status_code == int(status_code or 200), body
                assert TIMESTAMP.sub("", answer.text) == TIMESTAMP.sub("", reply)
