"""Meaning of PostgreSQL's error codes: a table of every code by which the server reports trouble."""

from enum import Enum, auto

import psycopg2
import psycopg2.errors


class Meaning(Enum):
    """Consequence of an error code."""

    UNAVAILABLE = auto()
    """The server cannot do it now, and nothing was decided: retry later."""
    READ_ONLY = auto()
    """As UNAVAILABLE; the connections lead to a read-only server, so they are renewed."""
    LOST = auto()
    """The session has ended; a COMMIT that was under way may have happened."""
    CONTENTION = auto()
    """The lock or change of another transaction was in the way: retry at once."""
    OVERDUE = auto()
    """The statement was canceled."""
    NO_PARTITION = auto()
    """The month of an id has no partition."""
    WRONG_CLOCK = auto()
    """The clock that made the id of a payment is more than a day off."""
    FAULT = auto()
    """A bug, or damage that persists at the next try: an unexpected error of one request or payment."""


MEANINGS: dict[str, Meaning] = {
    "08": Meaning.LOST,  # connection exception; poolers say everything by 08P01
    "08000": Meaning.LOST,  # connection_exception
    "08001": Meaning.LOST,  # sqlclient_unable_to_establish_sqlconnection
    "08003": Meaning.LOST,  # connection_does_not_exist
    "08004": Meaning.LOST,  # sqlserver_rejected_establishment_of_sqlconnection
    "08006": Meaning.LOST,  # connection_failure
    "08007": Meaning.LOST,  # transaction_resolution_unknown
    "08P01": Meaning.LOST,  # protocol_violation
    "25": Meaning.FAULT,  # invalid transaction state: a statement of ours at the wrong time, but for these three
    "25000": Meaning.FAULT,  # invalid_transaction_state
    "25001": Meaning.FAULT,  # active_sql_transaction
    "25002": Meaning.FAULT,  # branch_transaction_already_active
    "25003": Meaning.FAULT,  # inappropriate_access_mode_for_branch_transaction
    "25004": Meaning.FAULT,  # inappropriate_isolation_level_for_branch_transaction
    "25005": Meaning.FAULT,  # no_active_sql_transaction_for_branch_transaction
    "25006": Meaning.READ_ONLY,  # read_only_sql_transaction: a standby, a failover, or a disk that is full
    "25007": Meaning.FAULT,  # schema_and_data_statement_mixing_not_supported
    "25008": Meaning.FAULT,  # held_cursor_requires_same_isolation_level
    "25P01": Meaning.FAULT,  # no_active_sql_transaction
    "25P02": Meaning.FAULT,  # in_failed_sql_transaction
    "25P03": Meaning.LOST,  # idle_in_transaction_session_timeout
    "25P04": Meaning.LOST,  # transaction_timeout
    "53": Meaning.UNAVAILABLE,  # insufficient resources
    "53000": Meaning.UNAVAILABLE,  # insufficient_resources
    "53100": Meaning.UNAVAILABLE,  # disk_full
    "53200": Meaning.UNAVAILABLE,  # out_of_memory, also of locks
    "53300": Meaning.UNAVAILABLE,  # too_many_connections
    "53400": Meaning.UNAVAILABLE,  # configuration_limit_exceeded
    "57": Meaning.LOST,  # operator intervention
    "57000": Meaning.UNAVAILABLE,  # operator_intervention
    "57014": Meaning.OVERDUE,  # query_canceled, by a time-out or a person
    "57P01": Meaning.LOST,  # admin_shutdown
    "57P02": Meaning.LOST,  # crash_shutdown
    "57P03": Meaning.LOST,  # cannot_connect_now
    "57P04": Meaning.LOST,  # database_dropped
    "57P05": Meaning.LOST,  # idle_session_timeout
    "58": Meaning.UNAVAILABLE,  # system error: of the server's disk or files
    "58000": Meaning.UNAVAILABLE,  # system_error
    "58030": Meaning.UNAVAILABLE,  # io_error
    "58P01": Meaning.UNAVAILABLE,  # undefined_file
    "58P02": Meaning.UNAVAILABLE,  # duplicate_file
    "58P03": Meaning.UNAVAILABLE,  # file_name_too_long
    "XX": Meaning.FAULT,  # internal error; damaged data is still damaged at the next try, and must hold up nobody else
    "XX000": Meaning.FAULT,  # internal_error
    "XX001": Meaning.FAULT,  # data_corrupted
    "XX002": Meaning.FAULT,  # index_corrupted
    "40001": Meaning.CONTENTION,  # serialization_failure
    "40003": Meaning.LOST,  # statement_completion_unknown
    "40P01": Meaning.CONTENTION,  # deadlock_detected
    "55P03": Meaning.CONTENTION,  # lock_not_available
}
"""By code, and by class for codes of later versions. In classes not listed here every code is a FAULT."""


CLOCK_GUARD = "payments_ids_are_of_their_day"


def meaning(error: BaseException | None) -> Meaning:
    """Meaning of a driver's error; LOST for one without a code, because the connection broke."""
    code = error.pgcode if isinstance(error, psycopg2.Error) else None
    if not code:
        return Meaning.LOST if type(error) in BROKEN else Meaning.FAULT
    if isinstance(error, psycopg2.errors.CheckViolation) and error.diag.constraint_name is None:
        return Meaning.NO_PARTITION  # PostgreSQL's own check: all of ours have a name
    if isinstance(error, psycopg2.errors.CheckViolation) and error.diag.constraint_name == CLOCK_GUARD:
        return Meaning.WRONG_CLOCK
    return MEANINGS.get(code) or MEANINGS.get(code[:2], Meaning.FAULT)


BROKEN = {psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.DatabaseError}
"""Errors that the driver raises without a code when the connection cannot be made or breaks."""
