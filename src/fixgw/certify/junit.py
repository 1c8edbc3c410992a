"""The report as JUnit XML, which continuous integration reads."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from fixgw.certify.report import conversation
from fixgw.certify.results import Outcome, Played, Result
from fixgw.fix.decode import printable


def junit(results: Sequence[Result], name: str, seconds: float) -> str:
    """The report of a run against `name`: a test case for each scenario; what failed has its conversation."""
    outcomes = [result.outcome for result in results]
    suite = ET.Element(
        "testsuite",
        name=printable(name),
        tests=str(len(results)),
        failures=str(outcomes.count(Outcome.FAILED)),
        errors="0",
        skipped=str(outcomes.count(Outcome.NOT_APPLICABLE)),
        time=f"{seconds:.3f}",
    )
    for result in results:
        suite.append(_case(result))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(result: Result) -> ET.Element:
    script = result.script
    case = ET.Element(
        "testcase",
        classname=f"certify.{script.number // 100}xx",
        name=printable(f"{script.number:03} {script.title}"),
        time=f"{result.seconds:.3f}",
    )
    properties = ET.SubElement(case, "properties")
    ET.SubElement(properties, "property", name="rule", value=printable(script.rule))
    if result.outcome is Outcome.NOT_APPLICABLE:
        ET.SubElement(case, "skipped", message=printable(result.reason))
    if result.outcome is Outcome.FAILED:
        failure = ET.SubElement(case, "failure", message=printable(result.reason), type="scenario")
        failure.text = f"{script.path}\n{_text(result.played)}"
    return case


def _text(steps: Sequence[Played]) -> str:
    lines = []
    for step in steps:
        lines.append(f"{step.line:4} {step.text}")
        lines += [f"       {said}" for said in conversation(step.heard)]
        lines += [f"     failed: {step.problem}"] if step.problem else []
    return "\n".join(map(printable, "\n".join(lines).split("\n")))
