"""Certify this checkout: a gateway with the reference configuration, the whole catalogue against it.

One of its sessions speaks the extended dialect besides, so that every scenario applies.

    python scripts/certify.py [arguments of fixgw certify, as --only 2xx]

The gateway has a free port and a data directory of its own, and is stopped at the end. The reports are
written to build/certify.xml and build/certify.html. The exit code is that of `fixgw certify`.
"""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the parts find each other

from tests.mutants import extended

SECONDS = 480.0  # the whole catalogue at most
STOP_SECONDS = 15.0
FIXGW = Path(sys.executable).with_name("fixgw")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certify(port: int, data: Path, profile: Path, arguments: list[str]) -> int:
    """Run `fixgw certify` against the gateway on this port; its exit code."""
    reports = ROOT / "build"
    reports.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "fixgw", "certify", f"127.0.0.1:{port}"]
    command += ["--profile", str(profile)]
    command += ["--set", f"data={data}", "--set", f"fixgw={FIXGW}"]
    command += ["--junit", str(reports / "certify.xml"), "--html", str(reports / "certify.html")]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False, timeout=SECONDS).returncode


def main(arguments: list[str]) -> int:
    """Start the gateway, certify it, stop it; the exit code."""
    with tempfile.TemporaryDirectory(prefix="fixgw-certify-") as directory:
        data, port = Path(directory) / "data", free_port()
        log = Path(directory) / "log"
        config, profile = extended.write(Path(directory))
        command = [sys.executable, "-m", "fixgw", "serve", "--no-api", "--config", str(config)]
        command += ["--data", str(data), "--fix-port", str(port)]
        with log.open("w") as file:
            gateway = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True)
        try:
            if gateway.stdout is None or not gateway.stdout.readline():
                print(f"the gateway did not start:\n{log.read_text()}")
                return 2
            return certify(port, data, profile, arguments)
        except subprocess.TimeoutExpired:
            print(f"the catalogue took longer than {SECONDS:.0f} s")
            return 1
        finally:
            gateway.terminate()
            gateway.wait(STOP_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
