"""Tell the peer what to do, as somebody at the venue: `tell DIRECTORY hold | release | fill ID QUANTITY`."""

import socket
import sys
from pathlib import Path


def main() -> int:
    """Say it, and wait until it is done; the exit code."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as venue:
        venue.settimeout(10.0)
        venue.connect(str(Path(sys.argv[1]) / "venue"))
        venue.sendall(" ".join(sys.argv[2:]).encode())
        answer = venue.recv(1_024).decode()
    print(answer)  # noqa: T201
    return 0 if answer == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
