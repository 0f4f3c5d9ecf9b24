# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # shared with `servers`, which sources this
# PostgreSQL: every commit reaches the disk, prepared transactions on, one role and database for each service.

postgres_port=$((port_base + 432))
postgres_pid() { head -n 1 "$data/postgres/postmaster.pid" 2>/dev/null || true; }
postgres_mark="-D $data/postgres"
# Fast shutdown: sessions are ended, a checkpoint is written.
stop_postgres() { end postgres INT 60; }
# Immediate shutdown, and not SIGKILL: that would leave its children and its shared memory behind.
kill_postgres() { end postgres QUIT 20; }

postgres_bin() {
    local version found
    version="$(as cat "$data/postgres/PG_VERSION" 2>/dev/null || true)"
    for found in $(printf '%s\n' "/usr/lib/postgresql/${version:-*}"/bin | sort -V -r); do
        [[ -x "$found/postgres" && -x "$found/initdb" ]] && printf '%s' "$found" && return
    done
    die "PostgreSQL ${version:-server} is not installed: run scripts/install"
}

start_postgres() {
    local bin
    bin="$(postgres_bin)"
    require_free postgres "$postgres_port"
    if [[ ! -s "$data/postgres/PG_VERSION" ]]; then
        rm -rf "$data/postgres"
        password_of postgres | write "$data/initial-password"
        (umask 027 && : >"$dir/initdb.log")
        as "$bin/initdb" --pgdata="$data/postgres" --username=postgres --pwfile="$data/initial-password" \
            --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 ||
            { show_log initdb "$dir/initdb.log" && die "initdb failed"; }
        rm -f "$data/initial-password"
    fi
    # Task tables are written and deleted all day: looked after sooner than once a minute. Statements take microseconds:
    # compiling them never pays.
    write "$data/postgres/settle.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $postgres_port
unix_socket_directories = ''
fsync = on
synchronous_commit = on
max_connections = 500
max_prepared_transactions = 200
shared_buffers = 256MB
max_wal_size = 2GB
autovacuum_naptime = 10s
jit = off
shared_preload_libraries = '${SETTLE_POSTGRES_PRELOAD:-}'
CONF
    as grep -q "settle.conf" "$data/postgres/postgresql.conf" ||
        as bash -c "echo \"include 'settle.conf'\" >>'$data/postgres/postgresql.conf'"
    as "$bin/pg_ctl" start --silent -w -t 60 -D "$data/postgres" -l "$data/postgres/log" >/dev/null 2>&1 ||
        failed_start postgres 60
    # One role and database for each service; no role enters another's.
    {
        printf '%s\n' '\set ON_ERROR_STOP on' 'SET client_min_messages = warning;' \
            'REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;'
        for role in shop_order shop_stock shop_points shop_messages; do
            cat <<SQL
SELECT 'CREATE ROLE $role LOGIN PASSWORD ''$(password_of "$role")''' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \gexec
SELECT 'CREATE DATABASE $role OWNER $role' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$role') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE $role FROM PUBLIC;
SQL
        done
    } | PGPASSWORD="$(password_of postgres)" "$bin/psql" -X -q -h 127.0.0.1 -p "$postgres_port" -U postgres -d postgres \
        >/dev/null || die "could not create the databases of the services"
}
