"""Descriptions of sign-in and second factors, as in `descriptions.py`."""

IDENTITY_DESCRIPTIONS: dict[str, str] = {
    **dict.fromkeys(
        ("SessionInput.code", "SecondFactorCodeInput.code", "SecondFactorRemoval.code"),
        "Six digits of the authenticator, each used once, or a recovery code.",
    ),
    **dict.fromkeys(("SecondFactorInput.password", "SecondFactorRemoval.password"), "Your password."),
    "SecondFactor.is_active": "Whether sign-in asks for a code.",
    "SecondFactor.confirmed_at": "When it was confirmed by its first code; null if it was not.",
    "SecondFactorInput.qr_code": "True answers the URI as an image too.",
    "NewSecondFactor.qr_code": "The URI as a QR code, an `svg` element; null unless you asked for it.",
    "NewSecondFactor.secret": "The secret in base 32, for authenticators that read no QR code; shown only once.",
    "NewSecondFactor.uri": "The secret as authenticators read it: `otpauth://totp/…`.",
    "is_required": "Whether you must have one: without it a session may do nothing but set it up and sign out.",
    "recovery_codes": "Each replaces a code of the authenticator once, such as `ABCD-EFGH-IJKL-MNOP`.",
    "recovery_codes_left": "The number of recovery codes that were not used.",
    "second_factor_at": "When the session last proved the second factor; null if it has not.",
}
