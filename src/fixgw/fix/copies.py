"""Reports as they were sent, written anew from the journal for a client that asks for them again."""

from fixgw.core.directory import Directory
from fixgw.core.reports import Again
from fixgw.fix.framing import message
from fixgw.fix.outbound import POSS_RESEND, Outbound, timestamp, with_header
from fixgw.fix.settings import BEGIN_STRING, SessionSettings
from fixgw.journal.contract import Journal


class Copies:
    """Writes the copies. Symbols, and the session's dialect, are those of the configuration as it is now."""

    def __init__(
        self, directory: Directory, settings: SessionSettings, outbound: Outbound, journal: Journal
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._outbound = outbound
        self._journal = journal

    def of(self, session: str, epoch: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """The reports with MsgSeqNums of `epoch` from `first` to `last`, in order: number and whole message.

        SendingTime(52), which becomes OrigSendingTime(122), is the one that a report was sent with. Raises
        JournalError.
        """
        profile, sender = self._directory.sessions[session], self._settings.of(session, "SenderCompID")
        copies = []
        for sent in self._journal.sent(session, epoch, first, last):
            header = [f"34={sent.seq_num}", f"49={sender}", f"52={timestamp(sent.at)}", f"56={session}"]
            report = sent.report
            if isinstance(report, Again):
                report = report.report
                header.append(POSS_RESEND)
            body, _ = self._outbound.render(report, profile)
            whole = message(BEGIN_STRING.encode(), with_header(body, *header).encode())
            copies.append((sent.seq_num, whole))
        return copies
