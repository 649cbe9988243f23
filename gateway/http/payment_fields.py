"""Fields that payments, bulks and lists share, with their bounds."""

from gateway.http.fields import SingleSpacedText

SUMMARY_LENGTH_MAX = 70
REFERENCE_LENGTH_MAX = 100
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class Reference(SingleSpacedText):
    """The initiator's own reference of a payment."""

    def __init__(self) -> None:
        super().__init__(REFERENCE_LENGTH_MAX)
