#!/bin/sh
# Install what the scenarios of tests/cluster need from Debian, without starting any service.
set -eu

missing=
for package in nginx-light pgbouncer rsyslog rsyslog-relp prometheus debootstrap rabbitmq-server patroni python3-etcd python3-psycopg2 etcd-server etcd-client haproxy; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "make cluster-test needs the Debian packages$missing, and root to install them: sudo apt-get install$missing" >&2
    exit 1
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then # with it Debian's packages start nothing
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
fi
apt-get update -q
# shellcheck disable=SC2086 # names of packages
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
