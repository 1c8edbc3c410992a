"""Recovery: QuickFIX's sequence numbers and store are mended from the journal, which is the truth.

QuickFIX's FileStore never syncs to disk, and a crash can come between its writes and ours. The rules:

- inbound: set back to the journal's next number after anything but a clean stop; the client is asked to
  resend, and what was processed before is recognised by its MsgSeqNum;
- outbound: reports that have a number in the journal but are not in the store go into it with that number;
  then the next number is the highest of the journal's and the store's; a store that was lost altogether is
  taken `LOST_STORE_GAP` further, and the client's ResendRequest fills the gap.
"""

from collections.abc import Callable, Sequence

import quickfix
import structlog

from fixgw.core.reports import Report
from fixgw.journal.contract import Journal, SessionNumbers

log = structlog.get_logger("fixgw.recovery")

LOST_STORE_GAP = 1_000  # more session messages than QuickFIX sends between two commits of the journal

PUT_BACK_MAX = 10_000  # reports put back after a wipe: more than a client is behind, under a second's work

Store = Callable[[str, Sequence[Report], int], None]


def mend(
    native: quickfix.Session,
    numbers: SessionNumbers,
    journal: Journal,
    *,
    after_clean_stop: bool,
    store: Store,
) -> None:
    """Set the session right before the port opens. `store` puts reports into QuickFIX's store, numbered.

    Raises JournalError.
    """
    found_in, found_out = native.getExpectedTargetNum(), native.getExpectedSenderNum()
    lost = found_out == 1 and numbers.next_out > 1
    put_back = 0
    if found_out < numbers.next_out:
        put_back = _put_back(native, numbers, journal, store, found_out)
        native.setNextSenderMsgSeqNum(numbers.next_out + (LOST_STORE_GAP if lost else 0))
    if lost or (not after_clean_stop and found_in != numbers.next_in):
        native.setNextTargetMsgSeqNum(numbers.next_in)
    log.info(
        "recovered",
        session=numbers.name,
        after="clean stop" if after_clean_stop else "crash",
        epoch=numbers.epoch,
        store="lost" if lost else "found",
        next_in=native.getExpectedTargetNum(),
        next_out=native.getExpectedSenderNum(),
        put_back=put_back,
        waiting=numbers.queued - numbers.sent,
    )


def _put_back(
    native: quickfix.Session, numbers: SessionNumbers, journal: Journal, store: Store, first_seq_num: int
) -> int:
    """Put the reports that carry `first_seq_num` or a higher number back into the store; how many."""
    missing = journal.assigned_from(numbers.name, numbers.epoch, first_seq_num)
    for seq_num, report in missing:
        native.setNextSenderMsgSeqNum(seq_num)
        store(numbers.name, (report,), seq_num)
    return len(missing)


def keep_numbers(
    native: quickfix.Session,
    numbers: SessionNumbers,
    journal: Journal,
    *,
    next_in: int,
    next_out: int,
    store: Store,
) -> None:
    """Undo what a connection without a good Logon did to the session's numbers and store.

    Raises JournalError.
    """
    put_back = 0
    if native.getExpectedSenderNum() < next_out:
        put_back = _put_back(native, numbers, journal, store, max(1, next_out - PUT_BACK_MAX))
    native.setNextSenderMsgSeqNum(max(next_out, native.getExpectedSenderNum()))
    native.setNextTargetMsgSeqNum(next_in)
    log.warning("numbers kept", session=numbers.name, next_in=next_in, next_out=next_out, put_back=put_back)
