"""Recovery: QuickFIX's sequence numbers are mended from the journal, which is the truth.

QuickFIX writes its numbers before it sends, never waits for the disk, and a crash can come between its writes
and ours. The rules:

- inbound: set back to the journal's next number after anything but a clean stop; the client is asked to
  resend, and what was processed before is recognised by its MsgSeqNum;
- outbound: the next number is the highest of the journal's and QuickFIX's. What was numbered and not sent is
  then missing at the client, which asks for it, and gets it from the journal;
- numbers that are missing, or may be old because the machine went down, lost those that only QuickFIX knew
  (of heartbeats): then the next one is `LOST_STORE_GAP` further.
"""

import quickfix
import structlog

from fixgw.fix.filestore import Stored
from fixgw.journal.contract import Assigned, Journal, SessionNumbers

log = structlog.get_logger("fixgw.recovery")

LOST_STORE_GAP = 1_000  # more session messages than QuickFIX sends between two commits of the journal


def mend(
    native: quickfix.Session,
    numbers: SessionNumbers,
    journal: Journal,
    *,
    after_clean_stop: bool,
    stored: Stored,
) -> list[Assigned]:
    """Set the session's numbers right before the port opens. Raises JournalError.

    Returns the blocks (any number) that QuickFIX had not sent; none when its numbers were lost, because then
    it is not known what the client has.
    """
    found_in, found_out = native.getExpectedTargetNum(), native.getExpectedSenderNum()
    is_whole = stored.is_whole and not found_out == 1 < numbers.next_out
    next_out = max(found_out, numbers.next_out)
    if not is_whole or not (stored.is_sure or after_clean_stop):
        next_out += LOST_STORE_GAP
    not_sent = []
    if stored.is_whole and found_out < numbers.next_out:
        not_sent = journal.assigned(numbers.name, numbers.epoch, found_out, numbers.next_out - 1)
    if next_out != found_out:
        native.setNextSenderMsgSeqNum(next_out)
    if found_in != numbers.next_in and not (after_clean_stop and is_whole):
        native.setNextTargetMsgSeqNum(numbers.next_in)
    log.info(
        "recovered",
        session=numbers.name,
        after="clean stop" if after_clean_stop else "crash",
        epoch=numbers.epoch,
        store="found" if is_whole else "damaged",
        next_in=native.getExpectedTargetNum(),
        next_out=native.getExpectedSenderNum(),
        not_sent=sum(block.count for block in not_sent),
        waiting=numbers.queued - numbers.sent + sum(count for _, count in numbers.again),
    )
    return not_sent


def keep_numbers(native: quickfix.Session, session: str, next_in: int, next_out: int) -> None:
    """Undo what a connection without a good Logon did to the session's numbers."""
    native.setNextSenderMsgSeqNum(max(next_out, native.getExpectedSenderNum()))
    native.setNextTargetMsgSeqNum(next_in)
    log.warning("numbers kept", session=session, next_in=next_in, next_out=next_out)
