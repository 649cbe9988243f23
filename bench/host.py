"""The product of whatever checkout this is run in, on fresh servers: says where, and ends with its input.

`bench/compare.py` runs this file with another commit's checkout as working directory and PYTHONPATH, so it uses of
that checkout only what it imports. First a line of JSON in, the users to make, and one out: where the product is, its
processes, and the users' ids and tokens. Then for each line in, one out: which invariants, as that checkout knows them,
are broken.
"""

import json
import sys

from embedded import home
from embedded.postgres import SUPERUSER
from embedded.stack import Stack
from models.invariants import violations
from models.session import open_engine


def main() -> None:
    with home.temporary() as place:
        stack = Stack(place)
        try:
            stack.start()
            users = stack.create_users(json.loads(sys.stdin.readline()))
            people = [(created["id"], created["token"]) for created in users]
            superuser_url = stack.postgres.url(SUPERUSER, SUPERUSER)
            print(json.dumps([stack.bind, stack.database_url, superuser_url, stack.pids, people]), flush=True)
            for _ in sys.stdin:
                with open_engine(stack.database_url).connect() as connection:
                    print(json.dumps(violations(connection)), flush=True)
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
