# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Text is data"

# Given to a user and a product; each order must settle under exactly this name.
texts=("Zoë 名前 🫖" "'; DROP TABLE orders; --" "Robert'); DELETE FROM user_points; --" 'a"b\c' '{"a": 1}' '%s %n %00'
    '<script>alert(1)</script>' $'two\tparts\nand a line' '${HOME} $(id) `id`')
count=0
for text in "${texts[@]}"; do
    count=$((count + 1))
    user="$text ${run: -12}$count"
    shown="$(jq -nc --arg text "$text" '$text')"
    make_user "$user" 1
    make_product "$user" 3 10
    place "$user" message "$user" 2
    answered "an order by and of $shown" 201 --arg user "$user" '.userName == $user and .items[0].sku == $user'
    await_order "$id"
    is "settles" settled "$final"
    call GET "$points_url/users/$(escaped "$user")"
    answered "and its points come back under that name" 200 --arg user "$user" '. == {userName: $user, points: 7}'
    call GET "$order_url/orders?userName=$(escaped "$user")"
    answered "as does its order" 200 --arg id "$id" '[.orders[].id] == [$id]'
done
name="$(printf '%63s' "" | sed 's/ /é/g')"
place "${name}x" message "$run-modes" 1
answered "64 characters are counted as characters" 201
await_order "$id"
is "and an unknown user's order is cancelled" cancelled "$final"
