"""Hashes over operations: every value counts, and a path leads from each payment to the root."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.ledger_chain import (
    FAN_OUT,
    SALT_BYTES,
    OperationText,
    batch_hashes,
    levels,
    operation_hash,
    path,
    payment_hash,
    split_salts,
)

OPERATION: OperationText = (0, "account", -10, "EUR", "transfer", 90, 7)
SALTS = bytes(range(2 * SALT_BYTES))


@pytest.mark.parametrize("place", range(len(OPERATION)))
def test_each_value_of_an_operation_changes_its_hash(place: int) -> None:
    other = tuple(8 if at == place else value for at, value in enumerate(OPERATION))
    assert operation_hash("00", other) != operation_hash("00", OPERATION)
    assert operation_hash("01", OPERATION) != operation_hash("00", OPERATION)


def test_batch_is_hashed_from_its_payments_and_operations() -> None:
    two = [OPERATION, (1, *OPERATION[1:])]
    made = [operation_hash(salt, one) for salt, one in zip(split_salts(SALTS), two, strict=True)]
    hashes = batch_hashes([("a", two)], SALTS)
    assert hashes.leaves == [payment_hash("a", made)] == [hashes.root]
    assert hashes.marks == hashes.root[:4]
    assert batch_hashes([("a", two[:1]), ("b", two[1:])], SALTS).leaves == [
        payment_hash("a", made[:1]),
        payment_hash("b", made[1:]),
    ]


@given(st.integers(1, 600), st.data())
def test_path_leads_from_any_leaf_to_the_root(count: int, data: st.DataObject) -> None:
    leaves = [sha256(str(number).encode()).digest() for number in range(count)]
    index = data.draw(st.integers(0, count - 1))
    hash = leaves[index]
    for step in path(leaves, index):
        assert len(step.others) < FAN_OUT
        group = [*step.others[: step.position], hash, *step.others[step.position :]]
        hash = sha256(b"node " + b"".join(group)).digest()
    assert hash == levels(leaves)[-1][0]
