"""Attempts on every invariant of the books, in SQL: what is tried, and what stops each role, by name.

A row of ATTACKS says what stops the owner, the worker and the gateway: a constraint, a trigger, or DENIED
where the role has not the right to try. Ids stand in the statements by name, partitions as {p} and {o}.
"""

from tests.models.constraint_attacks import (
    accounts,
    archive,
    assignments,
    batches,
    chain,
    final_counts,
    freezes,
    identity,
    members,
    merchant_sums,
    operations,
    payments,
    period_sums,
    roles,
    saved_views,
    second_factors,
)

ATTACKS = {
    **payments.ATTACKS,
    **accounts.ATTACKS,
    **operations.ATTACKS,
    **identity.ATTACKS,
    **batches.ATTACKS,
    **roles.ATTACKS,
    **chain.ATTACKS,
    **freezes.ATTACKS,
    **second_factors.ATTACKS,
    **members.ATTACKS,
    **assignments.ATTACKS,
    **saved_views.ATTACKS,
    **final_counts.ATTACKS,
    **merchant_sums.ATTACKS,
    **period_sums.ATTACKS,
    **archive.ATTACKS,
}
