"""The ways out to a bank, and the story of telling it; which one is a setting."""

from pathlib import Path

from settings import Settings
from workers.rails.base import Rail


class RailError(Exception):
    """The settings name no rail, or not all that it needs."""


def open_rail(given: Settings) -> Rail:
    """The rail that the settings name; raises RailError."""
    if given.rail == "simulator":
        if not given.rail_simulator_url:
            raise RailError("RAIL=simulator needs RAIL_SIMULATOR_URL")
        from workers.rails.simulator import SimulatorRail  # noqa: PLC0415 - only its worker pays for what it imports

        return SimulatorRail(given.rail_simulator_url, given.rail_timeout_seconds)
    if given.rail == "sepa":
        return _open_sepa(given)
    raise RailError("RAIL is not set: simulator or sepa")


def _open_sepa(given: Settings) -> Rail:
    needed = {
        "RAIL_OUTBOX": given.rail_outbox,
        "RAIL_INBOX": given.rail_inbox,
        "RAIL_SEPA_NAME": given.rail_sepa_name,
        "RAIL_SEPA_IBAN": given.rail_sepa_iban,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise RailError(f"RAIL=sepa needs {', '.join(missing)}")
    outbox, inbox = Path(given.rail_outbox), Path(given.rail_inbox)
    if not (outbox.is_dir() and inbox.is_dir()):
        raise RailError("RAIL_OUTBOX and RAIL_INBOX are folders that must be there")
    from schwifty import BIC, IBAN  # noqa: PLC0415 - as above
    from schwifty.exceptions import SchwiftyException  # noqa: PLC0415 - as above

    from workers.rails.sepa import SepaRail  # noqa: PLC0415 - as above
    from workers.rails.sepa_files import Debtor  # noqa: PLC0415 - as above

    try:
        iban, bic = str(IBAN(given.rail_sepa_iban)), given.rail_sepa_bic and str(BIC(given.rail_sepa_bic))
    except SchwiftyException as error:
        raise RailError("RAIL_SEPA_IBAN or RAIL_SEPA_BIC is not valid") from error
    return SepaRail(outbox, inbox, Debtor(given.rail_sepa_name, iban, bic or None))
