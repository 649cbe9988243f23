"""The chain of posted batches, and the breaches that verification found."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, both, insert


def batch(**columns: str) -> str:
    """A batch that follows the newest, with columns of it replaced."""
    given = {
        "number": "(SELECT max(number) + 1 FROM ledger_batches)",
        "previous_hash": "(SELECT hash FROM ledger_batches ORDER BY number DESC LIMIT 1)",
        "payments": "ARRAY[%(new)s::uuid]",
        "salts": "decode(repeat('00', 16), 'hex')",
        "marks": "decode(repeat('00', 4), 'hex')",
        "root": "sha256('')",
    }
    return insert("ledger_batches", given | columns)


def breach(**columns: str) -> str:
    """A breach that was found, with columns of it replaced."""
    return insert(
        "breaches", {"invariant": "'a rule'", "subject": "%(new)s", "details": "jsonb_build_object()"} | columns
    )


def of_breach(assignments: str, state: str = "found") -> str:
    """A change of a breach: one that is found, or healed and acknowledged."""
    return f"UPDATE breaches SET {assignments} WHERE subject = '{state}'"


ATTACKS = {
    "batch as the ledger writes it": Attack(batch(), NO_BREAK, NO_BREAK),
    "batch that leaves a gap": both(
        batch(number="(SELECT max(number) + 2 FROM ledger_batches)"), "ledger_batches_follow_each_other"
    ),
    "batch in another's place": both(
        batch(number="(SELECT max(number) FROM ledger_batches)"), "ledger_batches_follow_each_other"
    ),
    "batch that follows another": both(batch(previous_hash="sha256('x')"), "ledger_batches_follow_each_other"),
    "batch with a short root": both(batch(root="'x'"), "ledger_batches_hashes_are_sha256"),
    "batch with half a salt": both(batch(salts="'x'"), "ledger_batches_salts_are_whole"),
    "batch without a mark": both(batch(marks="''"), "ledger_batches_marks_are_one_a_payment"),
    "batch with its own hash": Attack(batch(hash="sha256('x')"), *["GeneratedAlways"] * 3),
    "batch of another time": Attack(batch(posted_at="now() - interval '1 day'"), NO_BREAK),
    "UPDATE ledger_batches": Attack("UPDATE ledger_batches SET root = root", "ledger_batches_are_append_only"),
    "DELETE FROM ledger_batches": Attack("DELETE FROM ledger_batches", "ledger_batches_are_append_only"),
    "TRUNCATE ledger_batches": Attack("TRUNCATE ledger_batches CASCADE", "ledger_batches_are_never_truncated"),
    # breaches
    "breach as the auditor finds it": Attack(breach(), NO_BREAK, NO_BREAK),
    "breach of nothing": both(breach(invariant="''"), "breaches_invariant_is_bounded"),
    "breach by nothing": both(breach(subject="''"), "breaches_subject_is_bounded"),
    "second open breach": both(breach(subject="'found'"), "breaches_one_open"),
    "breach with another invariant": Attack(of_breach("invariant = 'another'"), "breaches_are_history"),
    "breach healed twice": Attack(
        of_breach("healed_at = now() + interval '1 day'", "healed"), *["breaches_are_history"] * 2
    ),
    "breach acknowledged twice": Attack(of_breach("reason = 'another'", "healed"), *["breaches_are_history"] * 3),
    "breach acknowledged by nobody": Attack(
        of_breach("acknowledged_at = now(), reason = 'known'"),
        *["breaches_acknowledged_by_somebody_with_reason"] * 3,
    ),
    "breach acknowledged without a word": Attack(
        of_breach("acknowledged_at = now(), acknowledged_by = 'ops', reason = ''"), *["breaches_reason_is_bounded"] * 3
    ),
    "breach acknowledged": Attack(
        of_breach("acknowledged_at = now(), acknowledged_by = 'ops', reason = 'known'"), *[NO_BREAK] * 3
    ),
    "DELETE FROM breaches": Attack("DELETE FROM breaches", "breaches_are_never_deleted"),
    "TRUNCATE breaches": Attack("TRUNCATE breaches CASCADE", "breaches_are_never_truncated"),
    "second position of verification": Attack(
        "INSERT INTO verification_positions (is_only, xact, sequence, batch, batch_hash, again)"
        " VALUES (false, '0', 0, 0, '', 0)",
        "verification_positions_are_one",
    ),
    "breach found": Attack(of_breach("healed_at = now()"), NO_BREAK, NO_BREAK),
}


def key(**columns: str) -> str:
    """A new public key, with columns of it replaced."""
    public = "decode(repeat('11', 32), 'hex')"
    given = {"id": f"left(encode(sha256({public}), 'hex'), 16)", "public_key": public}
    return insert("receipt_keys", given | columns)


def checkpoint(**columns: str) -> str:
    """The next checkpoint over one batch, with columns of it replaced."""
    given = {
        "number": "2",
        "first_batch": "1",
        "last_batch": "1",
        "root": "sha256('')",
        "previous_hash": "sha256('one')",
        "signed_at": "now()",
        "key_id": "(SELECT id FROM receipt_keys)",
        "hash": "sha256('two')",
        "signature": "decode(repeat('00', 64), 'hex')",
    }
    return insert("checkpoints", given | columns)


ATTACKS |= {
    # checkpoints
    "key": Attack(key(), NO_BREAK, NO_BREAK),
    "key of another kind": both(
        key(public_key="'x'", id="left(encode(sha256('x'), 'hex'), 16)"), "receipt_keys_are_ed25519"
    ),
    "key under another id": both(key(id="'0123456789abcdef'"), "receipt_keys_have_their_id"),
    "UPDATE receipt_keys": Attack("UPDATE receipt_keys SET id = id", "receipt_keys_are_append_only"),
    "DELETE FROM receipt_keys": Attack("DELETE FROM receipt_keys", "receipt_keys_are_append_only"),
    "TRUNCATE receipt_keys": Attack("TRUNCATE receipt_keys CASCADE", "receipt_keys_are_never_truncated"),
    "checkpoint": Attack(checkpoint(), NO_BREAK, NO_BREAK),
    "checkpoint that leaves a gap": both(checkpoint(number="3"), "checkpoints_follow_each_other"),
    "checkpoint that leaves out a batch": both(
        checkpoint(first_batch="2", last_batch="2"), "checkpoints_follow_each_other"
    ),
    "checkpoint that follows another": both(checkpoint(previous_hash="sha256('x')"), "checkpoints_follow_each_other"),
    "checkpoint over nothing": both(checkpoint(last_batch="0"), "checkpoints_cover_some_batches"),
    "checkpoint with a short root": both(checkpoint(root="'x'"), "checkpoints_hashes_are_sha256"),
    "checkpoint with a short signature": both(checkpoint(signature="'x'"), "checkpoints_signatures_are_ed25519"),
    "UPDATE checkpoints": Attack("UPDATE checkpoints SET root = root", "checkpoints_are_append_only"),
    "DELETE FROM checkpoints": Attack("DELETE FROM checkpoints", "checkpoints_are_append_only"),
    "TRUNCATE checkpoints": Attack("TRUNCATE checkpoints", "checkpoints_are_never_truncated"),
}
