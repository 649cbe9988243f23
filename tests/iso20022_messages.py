"""Files as a bank would write them: the smallest pain.002 and camt.053, and files that must be refused."""

from pathlib import Path

import sepaxml

SCHEMA = Path(sepaxml.__file__).parent / "schemas" / "pain.001.001.09.xsd"
"""The schema of ISO 20022, as sepaxml ships it."""

SPACE = "urn:iso:std:iso:20022:tech:xsd:"
CAMT, REPORT, ORDER = "camt.053.001.08", "pain.002.001.10", "pain.001.001.09"

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DEEP = 60_000

STRANGE = {
    "bomb": f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><Document xmlns="{{}}">&l9;</Document>',
    "external entity": '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document xmlns="{}">&x;</Document>',
    "document type": '<!DOCTYPE d SYSTEM "http://localhost/d.dtd"><Document xmlns="{}"/>',
    "deep": f'<Document xmlns="{{}}">{"<a>" * DEEP}{"</a>" * DEEP}</Document>',
    "torn": '<Document xmlns="{}"><a>',
    "other namespace": '<Document xmlns="urn:example"/>',
    "no namespace": "<Document/>",
    "other root": '<Letter xmlns="{}"/>',
    "empty": "",
    "no XML": "%PDF-1.7",
    "unknown encoding": '<?xml version="1.0" encoding="klingon"?><Document xmlns="{}"/>',
}
"""Documents that are no message, whatever their namespace."""


def message(kind: str, body: str) -> bytes:
    """A document of that kind."""
    return f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{SPACE}{kind}">{body}</Document>'.encode()


def strange(name: str, kind: str) -> bytes:
    """One of STRANGE that pretends to be of that kind."""
    return STRANGE[name].replace("{}", SPACE + kind).encode()


def report(*transactions: str, message_id: str = "", group: str = "", block: str = "") -> bytes:
    """A pain.002 about a message, with a status for all of it or for its block, or for each transaction."""
    status = f"<GrpSts>{group}</GrpSts>" if group else ""
    about = f"<OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>{ORDER}</OrgnlMsgNmId>{status}"
    blocks = f"<PmtInfSts>{block}</PmtInfSts>" if block else ""
    block = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>1</OrgnlPmtInfId>{blocks}{''.join(transactions)}</OrgnlPmtInfAndSts>"
    return message(REPORT, f"<CstmrPmtStsRpt><OrgnlGrpInfAndSts>{about}</OrgnlGrpInfAndSts>{block}</CstmrPmtStsRpt>")


def status(key: str, code: str, reason: str = "") -> str:
    """The status of one transaction of a pain.002."""
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn><AddtlInf>Account closed</AddtlInf></StsRsnInf>" if reason else ""
    return f"<TxInfAndSts><OrgnlEndToEndId>{key}</OrgnlEndToEndId><TxSts>{code}</TxSts>{why}</TxInfAndSts>"


def entry(
    direction: str = "DBIT",
    amount: str = "10.00",
    key: str = "",
    number: str = "",
    *,
    extra: str = "",
    state: str = "<Cd>BOOK</Cd>",
    day: str = "2026-11-20",
    currency: str = "EUR",
    detail: str = "",
) -> str:
    """An entry of a camt.053; `extra` stands in the entry, `detail` in its transaction."""
    refs = f"<Refs>{f'<EndToEndId>{key}</EndToEndId>' if key else ''}</Refs>"
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>{extra}<Sts>{state}</Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt>{f'<AcctSvcrRef>{number}</AcctSvcrRef>' if number else ''}"
        f"<NtryDtls><TxDtls>{refs}{detail}</TxDtls></NtryDtls></Ntry>"
    )


RETURNED = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"


def camt(*entries: str, days: str = "", currency: str = "EUR") -> bytes:
    """A camt.053 with these entries; `days` is what it says of the days that it covers."""
    account = f"<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
    return message(CAMT, f"<BkToCstmrStmt><Stmt>{days}{account}{''.join(entries)}</Stmt></BkToCstmrStmt>")
