# shellcheck shell=bash
# Sourced by the scripts beside it: messages, bounded waits, and processes known by their id.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
export ROOT

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# wait_until SECONDS COMMAND…: 0 as soon as the command succeeds, 1 when the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# alive PID MARK: whether this process runs and its command line holds MARK. A pid file may outlive a reboot, and the
# number may by then belong to somebody else's process; the mark keeps us from ever signalling that one.
alive() {
    local line
    [[ -n "$1" && -r "/proc/$1/cmdline" ]] || return 1
    line="$({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null)" || return 1
    [[ "$line" == *"$2"* ]]
}

# gone PID: for a child of ours.
gone() { ! kill -0 "$1" 2>/dev/null; }
not_alive() { ! alive "$@"; }

# end_process PID MARK SIGNAL SECONDS: signals, waits, and after the time is over kills. Fails only if even that did not help.
end_process() {
    alive "$1" "$2" || return 0
    kill -s "$3" "$1" 2>/dev/null || true
    wait_until "$4" not_alive "$1" "$2" && return 0
    say "process $1 ($2) did not end within $4 s of SIG$3; killing it"
    kill -s KILL "$1" 2>/dev/null || true
    wait_until 10 not_alive "$1" "$2"
}

# show_log TITLE FILE: the lines that matter of a log, or else its end.
show_log() {
    say "--- $1: $2"
    if [[ ! -r "$2" ]]; then
        say "(no such file)"
    elif grep -qiE 'error|fatal|panic|failed|refused|denied|crash' "$2"; then
        grep -iE 'error|fatal|panic|failed|refused|denied|crash' "$2" | tail -n 20 >&2
    else
        tail -n 20 "$2" >&2
    fi
}

# port_open PORT: whether something on loopback accepts connections there.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
