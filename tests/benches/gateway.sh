#!/usr/bin/env bash
# All figures of the gateway in one go: calls, payloads, events, idle sessions, a subscriber that reads nothing.
#
#   cargo build --release
#   tests/benches/gateway.sh [echo] [tls] [events] [idle] [stalled]      # all of them if none is named
#
# Everything runs on this machine, on free ports of loopback, with plain TCP between the gateway and the service. All parties of a
# line take turns in the same run; figures are medians of ROUNDS rounds, ratios the medians of the rounds' ratios. Nothing is left
# behind: no process, no file.
#
#   KEYWAY_BIN          the command [target/release/keyway]
#   KEYWAY_PEER_PYTHON  a Python that has libqi [target/peers/python/bin/python]; without, its lines are left out
#   ROUNDS, SECONDS_EACH, SESSIONS   [5, 10, 10000]: rounds, seconds each party is measured, idle sessions
#
# Idle sessions need as many files as there are sessions, on both sides: `ulimit -Hn` must allow SESSIONS + 100.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
keyway=${KEYWAY_BIN:-$root/target/release/keyway}
python=${KEYWAY_PEER_PYTHON:-$root/target/peers/python/bin/python}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-10}
sessions=${SESSIONS:-10000}
wanted=${*:-echo tls events idle stalled}

[ -x "$keyway" ] || { echo "there is no $keyway: cargo build --release, or name it in KEYWAY_BIN" >&2; exit 1; }
folder=$(mktemp -d)
running=()
end() {
    for process in "${running[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' INT TERM
ulimit -n "$(ulimit -Hn)"
# Standard input that neither ends nor brings anything: libqi's host ends with its own.
mkfifo "$folder/silence"
exec 9<>"$folder/silence"

# start NAME COMMAND…: starts a server, waits until it is ready, and sets `urls` to where it listens and `pid`.
start() {
    local name=$1
    shift
    : >"$folder/$name.out"
    "$@" <"$folder/silence" >"$folder/$name.out" 2>"$folder/$name.err" &
    pid=$!
    running+=("$pid")
    until grep -q '^ready' "$folder/$name.out"; do
        kill -0 "$pid" 2>/dev/null || { echo "$name did not start:" >&2; cat "$folder/$name.err" >&2; exit 1; }
        sleep 0.1
    done
    read -r -a urls < <(sed -n 's/^ready //p' "$folder/$name.out")
}

# stop PID: ends one server.
stop() {
    local process kept=()
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    for process in "${running[@]}"; do [ "$process" = "$1" ] || kept+=("$process"); done
    running=("${kept[@]}")
}

# bench WHAT OPTIONS…: runs a measurement, and leaves its JSON in `result`.
bench() {
    echo "# keyway bench $*" >&2
    result=$("$keyway" bench "$@" --json 2>"$folder/bench.err") || { cat "$folder/bench.err" >&2; exit 1; }
}

# row TEXT PYTHON: prints a line from the JSON `r`. `server` is what was measured, `other` what it is compared with.
row() {
    RESULT=$result python3 - "$1" "$2" <<'P'
import json, os, sys
r = json.loads(os.environ["RESULT"])
parties = r.get("parties", {})
server, other = parties.get("server"), parties.get("compare")
def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
cells = [cell if isinstance(cell, str) else number(cell) for cell in eval(f"({sys.argv[2].strip()}\n)")]
print("| " + " | ".join([sys.argv[1], *cells]) + " |", flush=True)
P
}

# gateway NAME UPSTREAM: a gateway with policy and audit log on tcp, tcps and quic; sets `tcp`, `tcps`, `quic` and `pid`.
gateway() {
    local scheme
    cat >"$folder/$1.toml" <<T
[audit]
folder = "$folder/$1.audit"
[limits]
connections_per_source = 20000
[[role]]
name = "guest"
[[rule]]
role = "guest"
service = "*"
allow = ["*", "emit:*"]
objects = "allow"
T
    for scheme in tcp tcps quic; do
        printf '[[listen]]\nurl = "%s://127.0.0.1:0"\nanonymous = { role = "guest" }\n' $scheme >>"$folder/$1.toml"
        [ $scheme = tcp ] || printf 'cert = "tls/server.pem"\nkey = "tls/server.key"\n' >>"$folder/$1.toml"
    done
    start "$1" "$keyway" gateway --config "$folder/$1.toml" --upstream "$2" --directory "$direct"
    tcp=${urls[0]} tcps=${urls[1]} quic=${urls[2]}
}

"$keyway" cert new-ca --dir "$folder/tls" >/dev/null
"$keyway" cert server --dir "$folder/tls" --host 127.0.0.1 >/dev/null
trust=(--ca "$folder/tls/ca.pem")
turns=(--rounds "$rounds" --seconds "$seconds")
many=(--size 16 --connections 16 --depth 4)

start service "$keyway" bench serve --listen tcp://127.0.0.1:0
direct=${urls[0]}
start relay "$keyway" bench relay --to "$direct"
relay=${urls[0]}
gateway dedicated dedicated
splice=$tcp

has() { [[ " $wanted " == *" $1 "* ]]; }

echo "$("$keyway" --version), $(nproc) processors, $(uname -sr), $(date -u +%F)"
echo
if has echo; then
    echo '| measure | relay | gateway | gateway / relay | wanted |'
    echo '|---|---|---|---|---|'
    bench echo --url "$tcp" --compare "$relay" "${turns[@]}" "${many[@]}"
    rate='other["median"]["per_second"], server["median"]["per_second"], server["rate_to_compare"]'
    row 'echo 16 B, 16 × 4, calls/s' "$rate, '≥ 0.9'"
    bench echo --url "$direct" --compare "$relay" "${turns[@]}" --size 16
    near=$(RESULT=$result python3 -c 'import json, os; print(json.loads(os.environ["RESULT"])["parties"]["server"]["p50_to_compare"])')
    bench echo --url "$tcp" --compare "$relay" "${turns[@]}" --size 16
    row 'echo 16 B, 1 × 1, p50 in µs' 'other["median"]["p50"], server["median"]["p50"], server["p50_to_compare"], "–"'
    # Of what a call takes through the relay, the part that it takes directly is no one's addition.
    row '… what is added to a call without either' "
        (1 - $near) * other['median']['p50'],
        server['median']['p50'] - $near * other['median']['p50'],
        (server['p50_to_compare'] - $near) / (1 - $near),
        '≤ 1.25'"
    bench echo --url "$tcp" --compare "$relay" "${turns[@]}" --size 1048576
    row 'echo 1 MiB, 1 × 1, MB/s' 'other["megabytes_per_second"], server["megabytes_per_second"], server["rate_to_compare"], "≥ 0.9"'
    echo
fi

if has tls; then
    echo '| measure | tcp | tcps | tcps / tcp | wanted | quic | quic / tcp |'
    echo '|---|---|---|---|---|---|---|'
    # both TEXT REQUIRED FIGURE RATIO OPTIONS…: the same by tcps and by quic, each next to tcp.
    both() {
        local text=$1 required=$2 figure=$3 ratio=$4 overTls
        shift 4
        bench echo --url "$tcps" --compare "$tcp" "${trust[@]}" "${turns[@]}" "$@"
        overTls=$result
        bench echo --url "$quic" --compare "$tcp" "${trust[@]}" "${turns[@]}" "$@"
        TLS=$overTls row "$text" "(lambda t: [t['compare']$figure, t['server']$figure, t['server']['$ratio'],
            '$required', server$figure, server['$ratio']])(json.loads(os.environ['TLS'])['parties'])"
    }
    both 'echo 16 B, 16 × 4, calls/s' '≥ 0.5' '["median"]["per_second"]' rate_to_compare "${many[@]}"
    both 'echo 16 B, 1 × 1, p50 in µs' '≤ 2' '["median"]["p50"]' p50_to_compare --size 16
    both 'echo 1 MiB, 1 × 1, MB/s' '≥ 0.5' '["megabytes_per_second"]' rate_to_compare --size 1048576
    echo
fi

if has stalled; then
    echo '| one of 100 reads nothing, 1,000 events/s | p99 of the others without it, µs | with it | with / without | wanted | the gateway grows by, MiB |'
    echo '|---|---|---|---|---|---|'
    stalled='other["median"]["p99"], server["median"]["p99"], r["parameters"]["p99_to_compare"], "0.9 – 1.1",
        max(0, r["parameters"]["resident_kib"]["largest"] - r["parameters"]["resident_kib"]["before"]) / 1024'
    bench stalled --url "$tcp" --pid "$pid" "${turns[@]}" --behind 16
    row 'a connection for each client (`dedicated`)' "$stalled"
fi
dedicated=$pid
if has stalled || has events; then gateway shared shared; fi
if has stalled; then
    bench stalled --url "$tcp" --pid "$pid" "${turns[@]}" --behind 16
    row 'one for all (`shared`)' "$stalled"
    echo
fi

if has events; then
    compared=()
    if [ -x "$python" ]; then
        start libqi "$python" "$root/tests/peers/libqi_bench_host.py"
        compared=(--compare "${urls[0]}")
    fi
    echo '| measure | libqi, directly | gateway, `shared` | gateway / libqi | wanted |'
    echo '|---|---|---|---|---|'
    bench events --url "$tcp" "${compared[@]}" "${turns[@]}" --in-flight 32
    row 'events to 1,000 subscribers, 32 in flight, deliveries/s' \
        '[other["median"]["per_second"], server["median"]["per_second"], server["rate_to_compare"], "≥ 20"] if other else
            ["–", server["median"]["per_second"], "–", "≥ 20"]'
    if [ ${#compared[@]} -gt 0 ]; then
        bench echo --url "$splice" "${compared[@]}" "${turns[@]}" "${many[@]}"
        row 'echo 16 B, 16 × 4, calls/s, through `dedicated`' \
            'other["median"]["per_second"], server["median"]["per_second"], server["rate_to_compare"], "≥ 8"'
    fi
    echo
fi

if has idle; then
    echo "| $sessions idle sessions | KiB each | wanted | KiB each that stay when all are closed | seconds to open all |"
    echo '|---|---|---|---|---|'
    stop "$dedicated"
    for scheme in tcp tcps quic; do
        # A fresh one for each, so that none lives in what another has left.
        gateway "idle-$scheme" dedicated
        bench idle --url "${!scheme}" --pid "$pid" --connections "$sessions" "${trust[@]}"
        row "$scheme" 'r["rounds"][0]["kib_per_session"], "≤ 24" if "tcps" in r["what"] else "–",
            r["rounds"][0]["kib_kept_per_session"], r["rounds"][0]["connect_seconds"]'
        stop "$pid"
    done
    echo
fi
