"""A poster that claims a batch, locks its accounts, and is stopped before it writes: `python -m ... DATABASE_URL`."""

import os
import signal
import sys

from models.session import open_engine
from workers.posting.batch_point import BatchPoint
from workers.posting.poster import Poster


def stop(point: BatchPoint) -> None:
    if point is BatchPoint.LOCKED:
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    poster = Poster(open_engine(sys.argv[1]), deposits_open=False, linger_seconds=0)
    poster.hook = stop
    poster.post_batch()
