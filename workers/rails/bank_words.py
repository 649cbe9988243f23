"""What a bank says, bounded and printable, as it is stored."""

from models.payout import FinalAnswer
from models.rules.blanks import fold_blanks
from workers.rails.base import PayoutAnswer, PayoutState

REASON_LENGTH_MAX = 500
REFERENCE_LENGTH_MAX = 100


def clean(text: str | None, length_max: int) -> str | None:
    """The bank's text, printable and bounded, so that it can be stored, shown and compared with its statements."""
    return "".join(filter(str.isprintable, fold_blanks(text or "")))[:length_max].rstrip() or None


def final_answer(payment_id: str, answer: PayoutAnswer) -> FinalAnswer:
    """The answer as it is stored; call it only for CONFIRMED and REJECTED."""
    return FinalAnswer(
        payment_id,
        answer.state is PayoutState.CONFIRMED,
        clean(answer.reason, REASON_LENGTH_MAX),
        clean(answer.bank_reference, REFERENCE_LENGTH_MAX),
    )
