"""Lists of the console under names: whose they are, and what they are made of."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, by_all, insert


def view(**columns: str) -> str:
    """A view that one of ops saves, with columns of it replaced."""
    given = {"id": "%(new)s", "user_id": "%(ops)s", "list": "'payments'", "name": "'new'", "query": "'state=FAILED'"}
    return insert("saved_views", given | columns)


def changed(assignments: str) -> str:
    """A change of a view that is saved."""
    return f"UPDATE saved_views SET {assignments} WHERE user_id = %(ops)s AND name = 'Saved'"


SETUP = """
INSERT INTO saved_views (id, user_id, list, name, query, is_shared) VALUES
    (gen_random_uuid(), %(ops)s, 'payments', 'Saved', 'state=FAILED', FALSE),
    (gen_random_uuid(), NULL, 'payments', 'Shell', 'state=FAILED', TRUE);
INSERT INTO saved_views (id, user_id, list, name, query)
    SELECT gen_random_uuid(), %(full)s, 'payments', n, 'state=FAILED' FROM generate_series(1, 50) AS n;
"""

ENCODED = "saved_views_query_is_encoded"

ATTACKS = {
    "view as ops save it": by_all(view(is_shared="TRUE"), NO_BREAK),  # type: ignore[arg-type]
    "view of no list": by_all(view(list="'secrets'"), "saved_views_list_is_known"),
    "view without a name": by_all(view(name="''"), "saved_views_name_is_bounded"),
    "view with a long name": by_all(view(name="repeat('x', 61)"), "saved_views_name_is_bounded"),
    "view of no query": by_all(view(query="''"), ENCODED),
    "view of another page": by_all(view(query="'x=1#/../../sign-out'"), ENCODED),
    "view with a script": by_all(view(query="'x=<script>'"), ENCODED),
    "view of two lines": by_all(view(query="E'x=1\\n&y=2'"), ENCODED),
    "view that ends in a line": by_all(view(query="E'x=1\\n'"), ENCODED),
    "view of a long query": by_all(view(query="'x=' || repeat('1', 1999)"), ENCODED),
    "view of a name that is used": by_all(view(name="'sAVED'"), "saved_views_names_once"),
    "view of a client": by_all(view(user_id="%(ann)s"), "saved_views_are_of_ops"),
    "view of nobody": Attack(view(user_id="NULL", is_shared="TRUE"), NO_BREAK, NO_BREAK, "saved_views_are_of_ops"),
    "view of nobody for nobody": Attack(
        view(user_id="NULL"), *["saved_views_of_nobody_are_shared"] * 2, "saved_views_are_of_ops"
    ),
    "second view of nobody by a name": Attack(
        view(user_id="NULL", is_shared="TRUE", name="'shell'"),
        *["saved_views_names_once"] * 2,
        "saved_views_are_of_ops",
    ),
    "one view too many": by_all(view(user_id="%(chief)s"), "saved_views_are_few"),
    "view that others see": by_all(changed("is_shared = TRUE"), NO_BREAK),  # type: ignore[arg-type]
    "view given to another": Attack(changed("user_id = %(chief)s"), "saved_views_stay_with_their_owner"),
    "view of another list": Attack(changed("list = 'audit'"), "saved_views_stay_with_their_owner"),
}

SAVED_VIEWS = {
    ("INSERT", "saved_views"): {"id", "user_id", "list", "name", "query", "is_shared"},
    ("UPDATE", "saved_views"): {"name", "query", "is_shared"},
}
"""The columns that both roles may write, by right and table."""
