"""The state that a start begins with, made from what the journal remembers."""

from datetime import datetime

from fixgw.core.directory import Directory
from fixgw.core.state import OmsState, day_start_before
from fixgw.journal.contract import Loaded


def restored(oms_id: int, directory: Directory, loaded: Loaded, closed_max: int, at: datetime) -> OmsState:
    """The state of this OMS as the journal has it, at the time `at` (aware UTC)."""
    oms = directory.omses[oms_id]
    day_start = loaded.day_starts.get(oms_id, day_start_before(at, oms))
    state = OmsState(oms, directory, day_start=day_start, closed_max=closed_max)
    state.recall(
        (order for order in loaded.orders if order.oms_id == oms_id),
        ((used.cl_ord_id, used.use) for used in loaded.used_ids if used.oms_id == oms_id),
    )
    if not loaded.complete:
        state.book.complete_since = at
    state.controls = loaded.controls.get(oms_id, state.controls)
    for row in loaded.mass_cancels:
        if row.oms_id == oms_id:
            state.restore(
                row.mass_cancel_id,
                row.request,
                row.left,
                row.canceled,
                row.not_affected,
                selector=row.selector,
                accepted=row.accepted,
            )
    return state
