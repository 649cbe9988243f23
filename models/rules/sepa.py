"""Countries of SEPA, by the first two letters of their IBANs."""

SEPA = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU"),
        *("LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
        *("IS", "LI", "NO"),
        *("AD", "AL", "CH", "GB", "MC", "MD", "ME", "MK", "RS", "SM", "VA"),
        "GI",
    }
)
"""The European Union, the European Economic Area, eleven other countries, and one territory with its own IBANs.

Source: European Payments Council, EPC409-09 "EPC list of SEPA scheme countries", as of May 2025, when Serbia was
admitted; 41 countries.
"""


def is_in_sepa(iban: str) -> bool:
    """Whether the bank of this IBAN can be reached by SEPA."""
    return iban[:2] in SEPA
