# shellcheck shell=bash
# shellcheck disable=SC2154  # work, run and the URLs are set by the script that sources this
# Sourced by `compose-check` after http.sh and shop.sh: orders of every mode at once, each with an idempotency key and
# asked for again and again until it is accepted. So whatever fails on the way, it is known what must be there in the end.

# One caller for each, with a user and a product of its own; `mixed` spends points too.
load_modes=(message at tcc xa saga mixed)
load_price=7
load_spent=2
load_points=1000000
load_stock=1000000
# Seconds after which a caller gives up.
load_limit=180

load_name() { printf '%s-%s-%s' "$run" "${load//[^a-z0-9]/-}" "$1"; }

load_body() {
    local name
    name="$(load_name "$1")"
    if [[ "$1" == mixed ]]; then
        order_body "$name" "" "$name" 1 |
            jq -c --argjson spend "$load_spent" '. + {mode: {stock: "at", points: "tcc"}, spendPoints: $spend}'
    else
        order_body "$name" "$1" "$name" 1
    fi
}

# load_start NAME: everything is made and the callers begin.
load_start() {
    local mode
    load="$1"
    load_folder="$work/load-${load//[^a-z0-9]/-}"
    load_callers=()
    mkdir -p "$load_folder"
    for mode in "${load_modes[@]}"; do
        make_user "$(load_name "$mode")" "$load_points"
        make_product "$(load_name "$mode")" "$load_price" "$load_stock"
        load_body "$mode" >"$load_folder/$mode.body"
        : >"$load_folder/$mode.accepted"
        : >"$load_folder/$mode.refused"
        load_caller "$mode" &
        load_callers+=("$!")
    done
}

# The loop of one caller: eight orders over one connection, then those of them again that were not accepted.
load_caller() {
    local mode="$1" deadline=$((SECONDS + load_limit)) asked=0 left=() key code
    while ((SECONDS < deadline)); do
        if ((${#left[@]} == 0)); then
            [[ ! -e "$load_folder/stop" ]] || break
            for ((key = asked + 1; key <= asked + 8; key++)); do left+=("$key"); done
            asked=$((asked + 8))
        fi
        for key in "${left[@]}"; do
            ((key == left[0])) || printf 'next\n'
            printf '%s\n' "url = \"$order_url/orders\"" 'request = POST' silent 'max-time = 15' 'output = /dev/null' \
                'header = "Content-Type: application/json"' "header = \"Idempotency-Key: $(load_name "$mode")-$key\"" \
                "data = \"@$load_folder/$mode.body\"" "write-out = \"%{http_code} $key\\n\""
        done >"$load_folder/$mode.config"
        left=()
        while read -r code key; do
            if [[ "$code" == 200 || "$code" == 201 ]]; then
                printf '%s\n' "$key" >>"$load_folder/$mode.accepted"
            else
                printf '%s\n' "$code" >>"$load_folder/$mode.refused"
                left+=("$key")
            fi
        done < <(curl --config "$load_folder/$mode.config" 2>/dev/null || true)
        ((${#left[@]} == 0)) || sleep 0.2
    done
    printf '%s\n' "$asked" >"$load_folder/$mode.asked"
}

load_accepted() { cat "$load_folder"/*.accepted | wc -l | tr -d ' '; }
load_has() { (($(load_accepted) >= $1)); }
# load_more COUNT SECONDS: until that many more have been accepted.
load_more() { wait_until "$2" load_has "$(($(load_accepted) + $1))"; }

# load_stop: no new orders; those asked for are still brought to their end.
load_stop() {
    : >"$load_folder/stop"
    wait "${load_callers[@]}"
}

# load_statuses MODE: of all orders of that caller's user, as "57 settled".
load_statuses() {
    local name next="" page pages=0
    name="$(load_name "$1")"
    while ((pages < 500)); do
        page="$(curl -s --max-time 10 "$order_url/orders?userName=$name&limit=200${next:+&before=$(escaped "$next")}" || true)"
        jq -r '.orders[].status' <<<"$page" 2>/dev/null || true
        next="$(jq -r '.next // ""' <<<"$page" 2>/dev/null || true)"
        [[ -n "$next" ]] || break
        pages=$((pages + 1))
    done | sort | uniq -c | awk '{printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2}'
}

# What each service says of one caller: orders, stock left, points.
load_state() { printf '%s; %s; %s' "$(load_statuses "$1")" "$(stock_of "$(load_name "$1")")" "$(points_of "$(load_name "$1")")"; }

undecided() {
    local url
    for url in "$stock_url" "$points_url"; do
        curl -s --max-time 10 -H "@$work/authorization" "$url/transactions" | jq -r '.branches | length'
    done | paste -sd ' '
}
unanswered() {
    curl -s --max-time 10 -H "@$work/authorization" "$order_url/tasks?limit=1" |
        jq -r '"\(.counts.pending) \(.counts.parked)"'
}

# load_expected MODE: the same, as it must be in the end.
load_expected() {
    local asked gain="$load_price"
    asked="$(cat "$load_folder/$1.asked" 2>/dev/null || printf 0)"
    [[ "$1" != mixed ]] || gain=$((load_price - 2 * load_spent))
    printf '%s settled; %s+0; %s' "$asked" "$((load_stock - asked))" "$((load_points + asked * gain))"
}

# load_wrong: what is not yet as it must be, empty in the end.
load_wrong() {
    local mode seen expected
    for mode in "${load_modes[@]}"; do
        expected="$(load_expected "$mode")"
        seen="$(sort -u "$load_folder/$mode.accepted" | wc -l | tr -d ' ') settled; ${expected#*; }"
        [[ "$seen" == "$expected" ]] || printf '%s: only %s were accepted of %s. ' "$mode" "${seen%% *}" "${expected%% *}"
        seen="$(load_state "$mode")"
        [[ "$seen" == "$expected" ]] || printf '%s: saw %s; expected %s. ' "$mode" "$seen" "$expected"
    done
}
load_is_right() { [[ -z "$(load_wrong)" ]]; }

# load_checked: every order asked for was accepted, is there once and settled; stock and points are exact.
load_checked() {
    local began="$SECONDS"
    if wait_until 60 load_is_right; then
        ok "$load: all $(load_accepted) orders settled, stock and points exact ($((SECONDS - began)) s after the last; refused on the way: $(load_refused))"
    else
        bad "$load: all orders settle, stock and points exact" "$(load_wrong)"
    fi
    eventually "$load: no branch is left undecided" "0 0" undecided
    eventually "$load: no task is left unanswered or parked" "0 0" unanswered
}

load_refused() {
    local seen
    seen="$(cat "$load_folder"/*.refused | sort | uniq -c | awk '{printf "%s%s × %s", (NR > 1 ? ", " : ""), $1, $2}')"
    printf '%s' "${seen:-none}"
}
