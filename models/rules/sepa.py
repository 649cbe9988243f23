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
"""The 27 members of the European Union, the 3 other members of the EEA, 11 other countries, and Gibraltar.

Source: European Payments Council, EPC409-09 "EPC list of SEPA scheme countries", as of May 2025, when Serbia was
admitted; 41 countries.
"""


def is_in_sepa(iban: str) -> bool:
    """Whether the country of this IBAN is in SEPA."""
    return iban[:2] in SEPA
