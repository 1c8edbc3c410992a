"""Recovery: QuickFIX's sequence numbers and store are mended from the journal, which is the truth.

QuickFIX's FileStore never syncs to disk, and a crash can come between its writes and ours. The rules:

- inbound: set back to the journal's next number after anything but a clean stop; the client is asked to
  resend, and what was processed before is recognised by its MsgSeqNum;
- outbound: reports that have a number in the journal but are not in the store go into it with that number;
  then the next number is the highest of the journal's and the store's;
- a store of which something is missing, or may be because the machine went down, lost numbers that only it
  knew (those of heartbeats): then the next number is `LOST_STORE_GAP` further, and the client's
  ResendRequest fills the gap.
"""

from collections.abc import Callable, Container, Iterator, Sequence

import quickfix
import structlog
from msgspec.structs import replace

from fixgw.core.reports import Again, Outgoing
from fixgw.fix.filestore import Stored
from fixgw.journal.contract import Assigned, Journal, SessionNumbers

log = structlog.get_logger("fixgw.recovery")

LOST_STORE_GAP = 1_000  # more session messages than QuickFIX sends between two commits of the journal

LAST_SENT = 500  # reports looked for in a store that is in order: more than can be under way at a crash
PUT_BACK_MAX = 10_000  # reports put back after a wipe: more than a client is behind, under a second's work

Store = Callable[[str, Sequence[Outgoing], int], None]


def mend(
    native: quickfix.Session,
    numbers: SessionNumbers,
    journal: Journal,
    *,
    after_clean_stop: bool,
    stored: Stored,
    store: Store,
) -> list[Assigned]:
    """Set the session right before the port opens. `store` puts reports into QuickFIX's store, numbered.

    Returns the blocks (any number) that the store had not got; none when it was lost altogether, because then
    it is not known what the client has. Raises JournalError.
    """
    found_in, found_out = native.getExpectedTargetNum(), native.getExpectedSenderNum()
    is_whole = stored.is_whole and not found_out == 1 < numbers.next_out
    if not is_whole:
        first = 1
    elif not stored.is_sure:
        first = numbers.next_out - PUT_BACK_MAX
    else:
        first = numbers.next_out - (0 if after_clean_stop else LAST_SENT)
    first = max(1, min(found_out, first))
    put_back = _put_back(native, numbers, journal, store, first, stored.held)
    next_out = max(found_out, numbers.next_out, stored.last + 1)
    if not is_whole or not (stored.is_sure or after_clean_stop):
        next_out += LOST_STORE_GAP
    if put_back or next_out != found_out:
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
        put_back=sum(block.count for block in put_back),
        waiting=numbers.queued - numbers.sent + sum(count for _, count in numbers.again),
    )
    return put_back if stored.is_whole else []


def _put_back(
    native: quickfix.Session,
    numbers: SessionNumbers,
    journal: Journal,
    store: Store,
    first_seq_num: int,
    held: Container[int] = (),
) -> list[Assigned]:
    """Put the reports from the MsgSeqNum `first_seq_num` on back that are not `held`; their blocks."""
    assigned = journal.assigned_from(numbers.name, numbers.epoch, first_seq_num)
    missing = [part for block in assigned for part in _not_held(block, held)]
    for part in missing:
        reports = journal.reports(numbers.name, part.position, part.count)
        native.setNextSenderMsgSeqNum(part.first_seq_num)
        store(numbers.name, [Again(one) for one in reports] if part.again else reports, part.first_seq_num)
    return missing


def _not_held(block: Assigned, held: Container[int]) -> Iterator[Assigned]:
    """The parts of `block` whose MsgSeqNums are not `held`, each as long as it can be."""
    begin = 0
    for place in range(block.count + 1):
        if place < block.count and block.first_seq_num + place not in held:
            continue
        if begin < place:
            first, position = block.first_seq_num + begin, block.position + begin
            yield replace(block, first_seq_num=first, position=position, count=place - begin)
        begin = place + 1


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
        blocks = _put_back(native, numbers, journal, store, max(1, next_out - PUT_BACK_MAX))
        put_back = sum(block.count for block in blocks)
    native.setNextSenderMsgSeqNum(max(next_out, native.getExpectedSenderNum()))
    native.setNextTargetMsgSeqNum(next_in)
    log.warning("numbers kept", session=numbers.name, next_in=next_in, next_out=next_out, put_back=put_back)
