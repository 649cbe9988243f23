"""URLs of databases: the driver, the roles and their passwords."""

import hashlib
import hmac

from sqlalchemy import make_url


def normalized(url: str | None) -> str | None:
    """The URL with psycopg2 as its driver: a bare postgresql:// would be read as psycopg 3."""
    if not url:
        return None
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def as_role(owner_url: str | None, role: str) -> str | None:
    """The owner's URL with another role and that role's derived password."""
    if not owner_url:
        return None
    url = make_url(owner_url)
    return url.set(username=role, password=role_password(owner_url, role)).render_as_string(hide_password=False)


def role_password(owner_url: str, role: str) -> str | None:
    """The password that the migration gives to `role`: derived from the owner's, which it does not reveal."""
    secret = make_url(owner_url).password
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest() if secret else None
