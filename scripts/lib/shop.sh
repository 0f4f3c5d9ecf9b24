# shellcheck shell=bash
# Sourced by `e2e`: users, products and orders, by the public routes only.
# shellcheck disable=SC2034,SC2154  # variables are shared with `e2e`

escaped() { jq -rn --arg text "$1" '$text | @uri'; }

make_user() {
    send_internal PUT "$points_url/users/$(escaped "$1")" "{\"points\": $2}"
    [[ "$code" == 201 ]] || bad "create user $1" "$(seen)"
}

# make_product SKU PRICE AVAILABLE
make_product() {
    send_internal PUT "$stock_url/products/$(escaped "$1")" \
        "{\"title\": \"Test product\", \"unitPrice\": $2, \"available\": $3}"
    [[ "$code" == 201 ]] || bad "create product $1" "$(seen)"
}

points_of() { curl -s --max-time 10 "$points_url/users/$(escaped "$1")" | jq -r .points; }
stock_of() { curl -s --max-time 10 "$stock_url/products/$(escaped "$1")" | jq -r '"\(.available)+\(.reserved)"'; }
status_of() { curl -s --max-time 10 "$order_url/orders/$1" | jq -r .status; }
pending_tasks() {
    curl -s --max-time 10 -H "@$work/authorization" "$order_url/tasks?limit=1" | jq -r .counts.pending
}
# orders_of USER [STATUS]: how many, up to 200.
orders_of() {
    curl -s --max-time 10 "$order_url/orders?userName=$(escaped "$1")&limit=200${2:+&status=$2}" | jq '.orders | length'
}
# entries_of USER ORDER: the points of that order's log entries.
entries_of() {
    curl -s --max-time 10 "$points_url/users/$(escaped "$1")/point-log?limit=200" |
        jq -c --arg order "$2" '[.entries[] | select(.orderId == $order) | .point]'
}

# order_body USER MODE SKU QUANTITY [SKU QUANTITY …]; an empty mode leaves the member out.
order_body() {
    local user="$1" mode="$2"
    shift 2
    jq -nc --arg user "$user" --arg mode "$mode" --args '{userName: $user,
        items: [$ARGS.positional | range(0; length; 2) as $i | {sku: .[$i], quantity: (.[$i + 1] | tonumber)}]}
        + (if $mode == "" then {} else {mode: $mode} end)' "$@"
}

# place USER MODE SKU QUANTITY …: sets `id` too.
place() {
    send POST "$order_url/orders" "$(order_body "$@")"
    id="$(field .id)"
}

# await_order ID: until it is settled or cancelled; sets `final`, and the order is the last answer.
await_order() {
    local deadline=$((SECONDS + 30))
    while :; do
        call GET "$order_url/orders/$1"
        final="$(field .status)"
        [[ "$final" == placed || "$final" == cancelling ]] || return 0
        ((SECONDS < deadline)) || return 0
        sleep 0.02
    done
}
