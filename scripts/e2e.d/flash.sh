# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Flash products"

user="$run-flash"
hot="$run-hot"
plain="$run-plain"
make_user "$user" 0
make_product "$plain" 10 100
product='{"title": "Hot", "unitPrice": 100, "available": 20, "flash": true}'
send_internal PUT "$stock_url/products/$hot" "$product"
answered "a flash product is created" 201 '.flash == true and .available == 20'
send_internal PUT "$stock_url/products/$hot" '{"title": "Hot", "unitPrice": 100, "available": 20}'
answered "flash stays when it is left out" 200 '.flash == true'
send_internal PUT "$stock_url/products/$hot" '{"title": "Hot", "unitPrice": 100, "available": 20, "flash": 1}'
refused "flash is true or false" 422
for mode in "${modes[@]}"; do
    place "$user" "$mode" "$hot" 2 "$plain" 1
    answered "mode $mode with a flash item" 201 '.xid != null and .total == 210'
    await_order "$id"
    is "mode $mode settles" settled "$final"
done
eventually "the book follows" "$((20 - 2 * ${#modes[@]}))+0" stock_of "$hot"
eventually "so does the other product" "$((100 - ${#modes[@]}))+0" stock_of "$plain"
place "$user" at "$hot" "$((21 - 2 * ${#modes[@]}))"
refused "more than there is" 409 '.type | endswith("/insufficient-stock")'
place "$user" at "$hot" 1 "$run-unknown" 1
refused "with a product that nobody knows" 404
place "$user" tcc "$hot" 1 "$plain" 1000
refused "with too many of another product" 409 '.type | endswith("/insufficient-stock")'
place "$user" at "$hot" "$((20 - 2 * ${#modes[@]}))"
answered "all that is left: nothing was kept by those that were refused" 201
place "$user" at "$hot" 1
refused "then there is none" 409 '.type | endswith("/insufficient-stock")'
place "$run-flash-nobody" at "$hot" 1
refused "for nobody else either" 409 '.type | endswith("/insufficient-stock")'
send_internal PUT "$stock_url/products/$hot" '{"title": "Hot", "unitPrice": 100, "available": 5}'
answered "more of it" 200 '.available == 5'
place "$run-flash-nobody" at "$hot" 5
answered "an order that will be cancelled" 201
await_order "$id"
is "it is cancelled" cancelled "$final"
# gives_back: whether the five can be taken again.
gives_back() {
    place "$user" at "$hot" 5
    printf '%s' "$code"
}
eventually "and what it took can be sold again" 201 gives_back
