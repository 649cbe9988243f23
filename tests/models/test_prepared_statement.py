"""Statements that are planned once a line, and whose one plan is good."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from models import payment_view
from models.prepared_statement import PreparedStatement
from models.session import Engine, open_engine, statements, transaction
from tests.builders import Builder, scalar

ADD = PreparedStatement("add", "SELECT %(first)s::integer + %(second)s::integer + %(first)s::integer")
PLANNED = "SELECT count(*) FROM pg_prepared_statements WHERE name = %s"
PLANS = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = %s"
MODELS = Path(payment_view.__file__).parent


@pytest.fixture
def worker(world: Builder) -> Engine:
    """With a pool, which keeps its lines."""
    return open_engine(world.worker.url.render_as_string(hide_password=False))


def test_parameters_are_bound_by_name(shared_world):
    with statements(shared_world.gateway) as connection:
        assert ADD.run(connection, first=20, second=2).scalar_one() == 42
        assert ADD.run(connection, second=20, first=2).scalar_one() == 24


def test_connection_prepares_and_plans_a_statement_once(worker):
    for _ in range(3):  # the pool has one line as yet
        with transaction(worker) as connection:
            ADD.run(connection, first=1, second=2)
            assert connection.exec_driver_sql(PLANNED, ("add",)).scalar_one() == 1
    with statements(worker) as connection:
        assert connection.exec_driver_sql(PLANS, ("add",)).one() == (3, 0)


def test_rollback_leaves_the_statement_prepared(worker):
    with pytest.raises(LookupError), transaction(worker) as connection:
        ADD.run(connection, first=1, second=2)
        raise LookupError
    with transaction(worker) as connection:
        assert ADD.run(connection, first=1, second=2).scalar_one() == 4


def test_failed_preparation_is_not_remembered(worker):
    wrong = PreparedStatement("wrong", "SELECT nothing FROM nowhere WHERE id = %(id)s")
    for _ in range(2):
        with pytest.raises(ProgrammingError, match="nowhere"), transaction(worker) as connection:
            wrong.run(connection, id=1)


def test_new_connection_prepares_again(world, worker):
    with transaction(worker) as connection:
        ADD.run(connection, first=1, second=2)
        pid = str(scalar(connection, "SELECT pg_backend_pid()"))
    with world.worker.connect() as other:  # another line of the same role
        assert scalar(other, "SELECT pg_terminate_backend(%s, 5000)", pid)
    with transaction(worker) as connection:
        assert str(scalar(connection, "SELECT pg_backend_pid()")) != pid
        assert ADD.run(connection, first=1, second=2).scalar_one() == 4


def test_prepared_statements_have_unique_names():
    names = [
        call.args[0].value
        for path in MODELS.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "PreparedStatement"
        and isinstance(call.args[0], ast.Constant)
    ]  # fmt: skip
    assert len(names) > 5
    assert [name for name, count in Counter(names).items() if count > 1] == []
