# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "What is refused"

user="$run-refusals" sku="$run-refusals"
make_user "$user" 100
make_product "$sku" 10 100
item="{\"sku\": \"$sku\", \"quantity\": 1}"
# Each body below has one thing wrong.
message='"mode": "message"'
name="\"userName\": \"$user\", $message"

# order_refused CODES DESCRIPTION BODY [FIELD]: the field must be named in `detail`.
order_refused() {
    send POST "$order_url/orders" "$3"
    refused "$2" "$1" --arg field "${4:-}" '$field == "" or ((.detail // "") | contains($field))'
}

order_refused 400 "an empty body" ''
order_refused 400 "no JSON" 'hello'
order_refused 400 "truncated JSON" "{$name, \"items\": [$item"
order_refused 400 "two documents" "{$name, \"items\": [$item]} {}"
printf '{"userName": "\xff\xfe", "items": [%s]}' "$item" >"$work/not-utf8"
order_refused 400 "bytes that are not UTF-8" "@$work/not-utf8"
printf '[%.0s' {1..100000} >"$work/deep"
order_refused "400|422" "100,000 brackets" "@$work/deep"

order_refused 422 "an array" '[]'
order_refused 422 "an empty object" '{}'
order_refused 422 "no userName" "{$message, \"items\": [$item]}" userName
order_refused 422 "userName is a number" "{$message, \"userName\": 5, \"items\": [$item]}" userName
order_refused 422 "userName is null" "{$message, \"userName\": null, \"items\": [$item]}" userName
order_refused 422 "userName is empty" "{$message, \"userName\": \"\", \"items\": [$item]}" userName
order_refused 422 "userName of 65 characters" "{$message, \"userName\": \"$(printf '%65s' "" | tr ' ' u)\", \"items\": [$item]}" userName
order_refused 422 "userName with U+0000" "{$message, \"userName\": \"a\\u0000b\", \"items\": [$item]}" userName
order_refused 422 "no items" "{$name}" items
order_refused 422 "items is an object" "{$name, \"items\": $item}" items
order_refused 422 "items is empty" "{$name, \"items\": []}" items
order_refused 422 "an item is null" "{$name, \"items\": [null]}" items
order_refused 422 "101 items" "$(jq -nc --arg user "$user" \
    '{mode: "message", userName: $user, items: [range(101) | {sku: "sku-\(.)", quantity: 1}]}')" items
order_refused 422 "a sku twice" "{$name, \"items\": [$item, $item]}" sku
order_refused 422 "no sku" "{$name, \"items\": [{\"quantity\": 1}]}" sku
order_refused 422 "sku is a number" "{$name, \"items\": [{\"sku\": 1, \"quantity\": 1}]}" sku
order_refused "404|422" "sku is empty" "{$name, \"items\": [{\"sku\": \"\", \"quantity\": 1}]}"
order_refused 422 "sku with U+0000" "{$name, \"items\": [{\"sku\": \"a\\u0000\", \"quantity\": 1}]}" sku
order_refused "404|422" "sku of 100,000 characters" \
    "$(printf '%100000s' "" | tr ' ' s | sed "s/.*/{$name, \"items\": [{\"sku\": \"&\", \"quantity\": 1}]}/" >"$work/long" &&
        printf '@%s' "$work/long")"
for quantity in 0 -1 1000001 1.5 '"2"' null true 9223372036854775808 99999999999999999999999 1e400 '[]'; do
    order_refused 422 "quantity $quantity" "{$name, \"items\": [{\"sku\": \"$sku\", \"quantity\": $quantity}]}" quantity
done
order_refused 422 "no quantity" "{$name, \"items\": [{\"sku\": \"$sku\"}]}" quantity
for spend in -1 1.5 '"1"' 9223372036854775808; do
    order_refused 422 "spendPoints $spend" "{$name, \"items\": [$item], \"spendPoints\": $spend}" spendPoints
done
order_refused 422 "spendPoints in mode message" "{$name, \"items\": [$item], \"spendPoints\": 1}" spendPoints
for mode in '""' 5 '"AT"' '[]' '{"stock": "message"}'; do
    order_refused 422 "mode $mode" "{\"userName\": \"$user\", \"items\": [$item], \"mode\": $mode}" mode
done

# A price and a quantity, each allowed, whose product does not fit 64 bits.
send_internal PUT "$stock_url/products/$run-dear" '{"title": "Dear", "unitPrice": 9223372036854775807, "available": 1000000}'
if [[ "$code" == 201 ]]; then
    order_refused 422 "a total beyond 64 bits" "{$name, \"items\": [{\"sku\": \"$run-dear\", \"quantity\": 1000000}]}"
else
    refused "a price whose total could not fit 64 bits" 422 '.detail | contains("unitPrice")'
fi

call POST "$order_url/orders" -H 'Content-Type: text/plain' --data-binary "{$name, \"items\": [$item]}"
refused "another content type" 415
call POST "$order_url/orders" --data-urlencode "userName=$user"
refused "a form" 415
{ printf '{%s, "items": [%s], "note": "' "$name" "$item" && head -c 1048576 /dev/zero | tr '\0' x && printf '"}'; } >"$work/big"
order_refused 413 "a body over 1 MiB" "@$work/big"
refuses "the same in chunks" 413 POST "$order_url/orders" "@$work/big" -H 'Transfer-Encoding: chunked'
as=internal refuses "over 1 MiB at stock" 413 PUT "$stock_url/products/$sku" "@$work/big"
as=internal refuses "over 1 MiB at user-points" 413 PUT "$points_url/users/$user" "@$work/big"

for url in "$order_url" "$stock_url" "$points_url"; do
    refuses "an unknown route at ${url##*:}" 404 GET "$url/no/such/route"
    # That of order is its page.
    [[ "$url" == "$order_url" ]] || refuses "the root at ${url##*:}" 404 GET "$url/"
    refuses "a wrong method at ${url##*:}" 405 DELETE "$url/health/live"
    is "and the right one is named" yes "$(header Allow | grep -q GET && printf yes || printf no)"
done
refuses "PATCH /orders" 405 PATCH "$order_url/orders"
refuses "DELETE /orders/{id}" 405 DELETE "$order_url/orders/$run"
refuses "DELETE /products/{sku}" 405 DELETE "$stock_url/products/$sku"
refuses "POST /users/{userName}" 405 POST "$points_url/users/$user"
refuses "U+0000 in a path" "400|404|422" GET "$points_url/users/%00"
refuses "a path that is not UTF-8" "400|404|422" GET "$stock_url/products/%ff%fe"

# Messages keep their order, so once this later order is settled, what was written of the refused ones would show.
printf '%-1048576s' "$(order_body "$user" message "$sku" 7)" >"$work/exact"
call POST "$order_url/orders" -H 'Content-Type: application/json; charset=utf-8' -H 'Expect:' --data-binary "@$work/exact"
answered "a body of exactly 1 MiB, its charset named" 201
await_order "$(field .id)"
is "it settles" settled "$final"
is "of all these only that order was written" 1 "$(orders_of "$user")"
is "its stock is the only stock taken" "93+0" "$(stock_of "$sku")"
is "its points the only ones given" 170 "$(points_of "$user")"
for url in "$order_url" "$stock_url" "$points_url"; do
    call GET "$url/health/ready"
    answered "${url##*:} is still ready" 200
done
