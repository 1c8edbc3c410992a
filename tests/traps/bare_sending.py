"""A bare acceptor with a FileStore that answers each message, and prints what the send said."""

import quickfix

from tests.traps.plain import DIRECTORY, Plain, say, serve, settings

ANSWER = "8=FIX.4.4|9=0|35=j|45=1|372=D|380=0|10=000|".replace("|", "\x01")


class Answering(Plain):
    """Answers with j."""

    def fromApp(self, message: quickfix.Message, sessionID: quickfix.SessionID) -> None:  # noqa: N802, N803, ARG002
        """Answer."""
        say(quickfix.Session.sendToTarget(quickfix.Message(ANSWER, False), sessionID))


def main() -> None:
    """Send once while nobody is logged on, then serve."""
    found = settings()
    acceptor = quickfix.SocketAcceptor(Answering(), quickfix.FileStoreFactory(str(DIRECTORY)), found)
    away = quickfix.SessionID("FIX.4.4", "FIXGW", "TRADER39")
    sent = quickfix.Session.sendToTarget(quickfix.Message(ANSWER, False), away)
    say(f"ready; sent to nobody: {sent}")
    serve(acceptor)


if __name__ == "__main__":
    main()
