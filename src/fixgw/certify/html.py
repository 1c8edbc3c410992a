"""The report as one HTML file that needs nothing else: each conversation decoded, step by step."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from fixgw.certify.results import Outcome, Played, Result
from fixgw.certify.wire import Heard
from fixgw.fix import decode, dictionary

_STYLE = """
body { color: #1a1a1a; font: 15px/1.5 system-ui, sans-serif; margin: auto; max-width: 75rem; padding: 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
code, pre, .step { font: 13px/1.5 ui-monospace, monospace }
table { border-collapse: collapse; margin: 1rem 0 2rem }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
details { border-left: 3px solid #ddd; margin: .3rem 0; padding-left: .7rem }
details.failed { border-color: #b3261e }
details.passed { border-color: #1b7a3d }
summary { cursor: pointer }
.passed > summary b, td.passed { color: #1b7a3d }
.failed > summary b, td.failed, .problem { color: #b3261e }
.na, .rule, .event, time { color: #6b6b6b }
.step { background: #f4f4f2; margin: .5rem 0 .2rem; padding: .1rem .5rem }
.step { overflow-wrap: anywhere; white-space: pre-wrap }
.problem { font-weight: 600; margin: .2rem .5rem; overflow-wrap: anywhere }
details.message { border: 0; margin: 0 0 0 .5rem }
details.message pre { background: #fafaf8; margin: .2rem 1.2rem; overflow-x: auto; padding: .4rem }
details.message summary { overflow-wrap: anywhere }
"""

_PLAIN = ("0", "1")  # Heartbeat and TestRequest: there are many, and their line says all

_CLASSES = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.NOT_APPLICABLE: "na"}


def html(results: Sequence[Result], name: str, at: datetime, seconds: float) -> str:
    """The report of a run against `name` that began at `at`. What failed stands open."""
    counts = Counter(result.outcome for result in results)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>Certification of {escape(name)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>Certification of {escape(name)}</h1>",
            f"<p>{at:%Y-%m-%d %H:%M:%S} UTC, {seconds:.0f} s: {len(results)} scenarios, {said}.</p>",
            *_overview(results),
            *(line for result in results for line in _scenario(result)),
            "</body></html>\n",
        ]
    )


def _overview(results: Sequence[Result]) -> Iterator[str]:
    yield "<table><tr><th>number</th><th>scenario</th><th>rule</th><th>outcome</th></tr>"
    for result in results:
        script, kind = result.script, _CLASSES[result.outcome]
        yield f'<tr><td><a href="#s{script.number:03}">{script.number:03}</a></td>'
        yield f'<td>{escape(script.title)}</td><td class="rule">{escape(script.rule)}</td>'
        yield f'<td class="{kind}">{result.outcome}</td></tr>'
    yield "</table>"


def _scenario(result: Result) -> Iterator[str]:
    script, kind = result.script, _CLASSES[result.outcome]
    is_open = " open" if result.outcome is Outcome.FAILED else ""
    yield f'<details class="{kind}" id="s{script.number:03}"{is_open}><summary>{script.number:03} '
    yield f"<b>{result.outcome}</b> {escape(script.title)}</summary>"
    yield f'<p class="rule">{escape(script.rule)}<br>'
    yield f"<code>{escape(script.path)}</code>, {result.seconds:.1f} s</p>"
    if result.reason:
        kind = "problem" if result.outcome is Outcome.FAILED else "na"
        yield f'<p class="{kind}">{_text(result.reason)}</p>'
    for played in result.played:
        yield from _step(played)
    yield "</details>"


def _step(played: Played) -> Iterator[str]:
    mark = "✗" if played.problem else "✓"
    line = f"{played.line}: " if played.line else ""
    yield f'<div class="step">{mark} {line}{_text(played.text)}</div>'
    yield from map(_message, played.heard)
    if played.problem:
        yield f'<div class="problem">{_text(played.problem)}</div>'


def _message(heard: Heard) -> str:
    at = f"<time>{heard.at:%H:%M:%S}.{heard.at.microsecond // 1000:03}</time>"
    if not heard.raw:
        return f'<div class="event">&emsp;{at} {escape(heard.role)}: {_text(heard.event)}</div>'
    decoded = decode.decode(heard.raw, dictionary.load())
    said = f"{at} {escape(heard.role)} {'→' if heard.is_sent else '←'} {escape(decode.one_line(decoded))}"
    if decoded.msg_type in _PLAIN:
        return f'<div class="event">&emsp;{said}</div>'
    table = escape(decode.table(decoded))
    return f'<details class="message"><summary>{said}</summary><pre>{table}</pre></details>'


def _text(text: str) -> str:
    return escape("\n".join(map(decode.printable, text.split("\n"))))
