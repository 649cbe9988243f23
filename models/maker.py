"""Makers: the person who ordered a payment or a bulk in a merchant's name, if it was not the merchant's own user."""

from sqlalchemy import Connection


def note(connection: Connection, subject_id: str, user_id: str) -> None:
    """Record who ordered the payment or bulk, in the transaction that stores it."""
    connection.exec_driver_sql("INSERT INTO makers (subject_id, user_id) VALUES (%s, %s)", (subject_id, user_id))
