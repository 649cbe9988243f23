"""The SQL files of a revision, in the order in which they run."""

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"


def run(folder: str, *steps: str) -> None:
    """Execute the files of the folder, in the transaction of the migration."""
    cursor = op.get_bind().connection.cursor()
    for step in steps:
        cursor.execute((SQL / folder / f"{step}.sql").read_text())
