"""The tables, the queries over them, and the one door for money."""
