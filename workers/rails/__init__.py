"""Rails, the connections to a bank, and the sending of payouts; a setting chooses the rail."""

from pathlib import Path

from settings import Settings
from workers.rails.base import Rail


class RailError(Exception):
    """The settings name no rail, or not everything it needs."""


def open_rail(settings: Settings) -> Rail:
    """The rail that the settings name; raises RailError."""
    if settings.rail == "simulator":
        if not settings.rail_simulator_url:
            raise RailError("RAIL=simulator needs RAIL_SIMULATOR_URL")
        from workers.rails.simulator import SimulatorRail  # noqa: PLC0415 - only the rails worker needs it

        return SimulatorRail(settings.rail_simulator_url, settings.rail_timeout_seconds)
    if settings.rail == "sepa":
        return _open_sepa(settings)
    raise RailError("RAIL is not set: simulator or sepa")


def _open_sepa(settings: Settings) -> Rail:
    needed = {
        "RAIL_OUTBOX": settings.rail_outbox,
        "RAIL_INBOX": settings.rail_inbox,
        "RAIL_SEPA_NAME": settings.rail_sepa_name,
        "RAIL_SEPA_IBAN": settings.rail_sepa_iban,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise RailError(f"RAIL=sepa needs {', '.join(missing)}")
    outbox, inbox = Path(settings.rail_outbox), Path(settings.rail_inbox)
    if not (outbox.is_dir() and inbox.is_dir()):
        raise RailError("RAIL_OUTBOX and RAIL_INBOX must be existing folders")
    from schwifty import BIC, IBAN  # noqa: PLC0415 - as above
    from schwifty.exceptions import SchwiftyException  # noqa: PLC0415 - as above

    from workers.rails.sepa import SepaRail  # noqa: PLC0415 - as above
    from workers.rails.sepa_files import Debtor  # noqa: PLC0415 - as above

    try:
        iban, bic = str(IBAN(settings.rail_sepa_iban)), settings.rail_sepa_bic and str(BIC(settings.rail_sepa_bic))
    except SchwiftyException as error:
        raise RailError("RAIL_SEPA_IBAN or RAIL_SEPA_BIC is not valid") from error
    return SepaRail(outbox, inbox, Debtor(settings.rail_sepa_name, iban, bic or None))
