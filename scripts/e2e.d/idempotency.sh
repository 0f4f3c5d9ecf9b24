# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Idempotency"

user="$run-idempotent" sku="$run-idempotent"
make_user "$user" 0
make_product "$sku" 10 1000
body="$(order_body "$user" message "$sku" 2)"

send POST "$order_url/orders" "$body" -H "Idempotency-Key: $run-a"
id="$(field .id)"
answered "the first request with a key" 201
send POST "$order_url/orders" "$body" -H "Idempotency-Key: $run-a"
answered "the same again: the same order" 200 --arg id "$id" '.id == $id'
refuses "the same key with another body" 422 POST "$order_url/orders" "$(order_body "$user" message "$sku" 3)" -H "Idempotency-Key: $run-a"
await_order "$id"
is "it settles" settled "$final"
send POST "$order_url/orders" "$body" -H "Idempotency-Key: $run-a"
answered "the same again, once it is settled" 200 --arg id "$id" '.id == $id'
long="$(printf '%255s' "" | tr ' ' k)"
send POST "$order_url/orders" "$body" -H "Idempotency-Key: ${run}${long:${#run}}"
answered "a key of 255 characters" 201
await_order "$(field .id)"
refuses "a key of 256 characters" 422 POST "$order_url/orders" "$body" -H "Idempotency-Key: ${long}k"
refuses "an empty key" 422 POST "$order_url/orders" "$body" -H "Idempotency-Key;"

# Fifty at once, by one curl.
mkdir "$work/same"
for i in {1..50}; do
    ((i == 1)) || printf 'next\n'
    printf '%s\n' "url = \"$order_url/orders\"" 'request = POST' 'header = "Content-Type: application/json"' \
        "header = \"Idempotency-Key: $run-b\"" "data = \"@$work/same-body\"" "output = \"$work/same/$i\"" \
        'write-out = "%{http_code}\n"' 'max-time = 20' silent
done >"$work/same-config"
printf '%s' "$body" >"$work/same-body"
curl --parallel --parallel-immediate --parallel-max 50 --config "$work/same-config" >"$work/same-codes" 2>/dev/null ||
    true
is "50 at once with one key: one is created, 49 find it" "201 1, 200 49" \
    "$(sort -r "$work/same-codes" | uniq -c | awk '{printf "%s%s %s", sep, $2, $1; sep = ", "}')"
is "all answer the same order" 1 "$(cat "$work/same"/* | jq -r .id | sort -u | wc -l)"
await_order "$(jq -r .id "$work/same/1")"
is "it settles" settled "$final"
is "three orders in all" 3 "$(orders_of "$user")"
eventually "stock taken once for each" "994+0" stock_of "$sku"
eventually "points given once for each" 60 points_of "$user"
