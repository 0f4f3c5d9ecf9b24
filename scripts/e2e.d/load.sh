# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "200 orders from 16 callers"

user="$run-load" tea="$run-load-tea" cup="$run-load-cup"
make_user "$user" 0
make_product "$tea" 7 10000
make_product "$cup" 11 10000
for n in 1 2 3; do order_body "$user" message "$tea" "$n" "$cup" 1 >"$work/load-$n"; done
teas=0
for i in {1..200}; do
    caller=$((i % 16)) n=$((i % 3 + 1))
    teas=$((teas + n))
    [[ ! -s "$work/caller-$caller" ]] || printf 'next\n' >>"$work/caller-$caller"
    printf '%s\n' "url = \"$order_url/orders\"" 'request = POST' 'header = "Content-Type: application/json"' \
        "data = \"@$work/load-$n\"" 'output = /dev/null' 'write-out = "%{http_code}\n"' 'max-time = 30' silent \
        >>"$work/caller-$caller"
done
began="$SECONDS"
callers=()
for caller in {0..15}; do
    curl --config "$work/caller-$caller" >"$work/codes-$caller" 2>/dev/null &
    callers+=("$!")
done
wait "${callers[@]}" || true
is "all are accepted" "201 200" "$(cat "$work"/codes-* | sort | uniq -c | awk '{print $2, $1}')"
eventually "all settle" 200 orders_of "$user" settled
printf '     in %s s\n' "$((SECONDS - began))"
eventually "stock of the first product is exact" "$((10000 - teas))+0" stock_of "$tea"
eventually "of the second too" "9800+0" stock_of "$cup"
eventually "points are exact" "$((teas * 7 + 200 * 11))" points_of "$user"
is "each order has its own entry in the point log" 200 \
    "$(curl -s --max-time 10 "$points_url/users/$user/point-log?limit=200" | jq '[.entries[].orderId] | unique | length')"
eventually "nothing stays pending" 0 pending_tasks
