"""What ops users ask a bank about single payouts: who is asked about, and the answers as they are stored."""

from collections.abc import Mapping, Sequence

from models import inquiry
from models.inquiry import InquiryAnswer
from models.payout import Payout
from workers.rails.bank_words import REASON_LENGTH_MAX, REFERENCE_LENGTH_MAX, clean
from workers.rails.base import PayoutAnswer, PayoutState

OTHER_RAIL = PayoutAnswer(PayoutState.UNKNOWN, "its rail is no longer in use")


def known_to(rail: str, payouts: Sequence[Payout]) -> list[Payout]:
    """The payouts of which the bank of this rail may know: only about these it is asked."""
    return [payout for payout in payouts if payout.submitted_at is not None and payout.rail == rail]


def answers(payouts: Sequence[Payout], said: Mapping[str, PayoutAnswer]) -> list[InquiryAnswer]:
    """An answer about each of the payouts, by what the bank said of those that it was asked about."""
    return [_answer(payout, said.get(payout.payment_id, OTHER_RAIL)) for payout in payouts]


def _answer(payout: Payout, answer: PayoutAnswer) -> InquiryAnswer:
    if payout.submitted_at is None:
        return InquiryAnswer(payout.payment_id, inquiry.NOT_SENT, None, None)
    reason, reference = clean(answer.reason, REASON_LENGTH_MAX), clean(answer.bank_reference, REFERENCE_LENGTH_MAX)
    return InquiryAnswer(payout.payment_id, answer.state.value, reason, reference)
