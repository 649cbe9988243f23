"""Files of pain.001 and their transfers."""

from typing import Any

from tests.gateway.bulks.builders import (
    BIC,
    ORGANIZATION,
    TRANSFERS,
    iban,
)
from tests.gateway.harness import ApiUser
from tests.iso20022_messages import ORDER, message


def file_of(*transfers: str, day: str = "", name: str = ORGANIZATION["organization_name"]) -> bytes:
    """A pain.001 of these transfers."""
    requested = f"<ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt>" if day else ""
    block = (
        f"<PmtInf><PmtMtd>TRF</PmtMtd>{requested}<Dbtr><Nm>{name}</Nm></Dbtr><DbtrAcct><Id>"
        f"<IBAN>{ORGANIZATION['organization_iban']}</IBAN></Id></DbtrAcct>{''.join(transfers)}</PmtInf>"
    )
    return message(ORDER, f"<CstmrCdtTrfInitn>{block}</CstmrCdtTrfInitn>")


def transfer(n: int = 1, amount: str = "1.00", ids: str = "", rest: str = "") -> str:
    """A transfer of a pain.001."""
    return (
        f'<CdtTrfTxInf><PmtId>{ids}</PmtId><Amt><InstdAmt Ccy="EUR">{amount}</InstdAmt></Amt><CdtrAgt><FinInstnId>'
        f"<BICFI>{BIC}</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Payee {n}</Nm></Cdtr>"
        f"<CdtrAcct><Id><IBAN>{iban(n)}</IBAN></Id></CdtrAcct>{rest}</CdtTrfTxInf>"
    )


def sent(merchant: ApiUser, data: bytes) -> Any:
    return merchant.raw(TRANSFERS, data, "application/xml")
