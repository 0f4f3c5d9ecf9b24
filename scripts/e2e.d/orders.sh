# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
# One order of each kind in each mode: settled, out of stock, of nobody, of nothing.

order_settles() {
    local mode="$1" user="$run-$1" tea="$run-$1-tea" cup="$run-$1-cup"
    place "$user" "$mode" "$tea" 3 "$cup" 2
    answered "$mode: an order is placed" 201 --arg user "$user" --arg mode "$mode" --arg tea "$tea" --arg cup "$cup" '
        (.id | type == "string" and length > 0) and .userName == $user
        and (.items | sort_by(.sku)) == ([{sku: $tea, quantity: 3, unitPrice: 120},
            {sku: $cup, quantity: 2, unitPrice: 800}] | sort_by(.sku))
        and .total == 1960 and .spendPoints == 0 and .payMoney == 1960 and .point == 1960
        and .status == "placed" and .mode == $mode
        and (if $mode == "message" or $mode == "centre" then .xid == null and has("xid") else (.xid | type == "string") end)
        and (.createdAt | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9:]+)$"))'
    is "$mode: Location names it" "/orders/$id" "$(header Location | sed -E 's#^https?://[^/]+##')"
    await_order "$id"
    is "$mode: it settles" settled "$final"
    answered "$mode: and keeps what it was" 200 --arg id "$id" --arg mode "$mode" \
        '.id == $id and .total == 1960 and .point == 1960 and .mode == $mode and (.items | length) == 2'
    answered "$mode: its tasks are archived as finished" 200 --arg mode "$mode" '
        (.tasks | length) > 0
        and ([.tasks[].taskType] | sort) == (if $mode == "message" or $mode == "centre" then ["addpoint", "deductstock"] else ["addpoint"] end)
        and all(.tasks[]; .id != null and .status == "finished" and .errormsg == null and (.attempts | type == "number")
            and .createTime > 1600000000000 and .updateTime >= .createTime and .deleteTime >= .createTime)'
    eventually "$mode: the points are exact" 2060 points_of "$user"
    is "$mode: one entry in the point log" "[1960]" "$(entries_of "$user" "$id")"
    eventually "$mode: the stock is exact" "47+0" stock_of "$tea"
    eventually "$mode: of each item" "18+0" stock_of "$cup"
}

order_out_of_stock() {
    local mode="$1" user="$run-$1" tea="$run-$1-tea" cup="$run-$1-cup"
    place "$user" "$mode" "$cup" 1 "$tea" 48
    if sent "$mode"; then
        answered "$mode: more than there is, is accepted at first" 201
        await_order "$id"
        is "$mode: and then cancelled" cancelled "$final"
        answered "$mode: with a reason" 200 '(.reason | type == "string" and length > 0)
            and any(.tasks[]; .taskType == "deductstock" and .status == "rejected" and (.errormsg | length) > 0)'
        is "$mode: no points for it" "[]" "$(entries_of "$user" "$id")"
    else
        refused "$mode: more than there is" 409 '.type | endswith("/insufficient-stock")'
    fi
    eventually "$mode: nothing of it stays taken" "47+0" stock_of "$tea"
    eventually "$mode: nor of the item that there was" "18+0" stock_of "$cup"
    is "$mode: the points are as they were" 2060 "$(points_of "$user")"
}

order_of_nobody() {
    local mode="$1" tea="$run-$1-tea"
    place "$run-$1-nobody" "$mode" "$tea" 5
    answered "$mode: an order of an unknown user is accepted at first" 201
    await_order "$id"
    is "$mode: and then cancelled" cancelled "$final"
    answered "$mode: with a reason, the points rejected, the stock sent back" 200 '
        (.reason | type == "string" and length > 0)
        and any(.tasks[]; .taskType == "addpoint" and .status == "rejected")
        and any(.tasks[]; .taskType == "restock" and .status == "finished")'
    eventually "$mode: its stock is given back" "47+0" stock_of "$tea"
}

order_of_nothing() {
    local mode="$1" tea="$run-$1-tea"
    place "$run-$1" "$mode" "$tea" 1 "$run-no-such-sku" 1
    refused "$mode: an unknown sku" 404
    eventually "$mode: nothing is taken of the other item" "47+0" stock_of "$tea"
}

# Points spent are the second participant; only a global transaction can take them with the stock.
order_spends_points() {
    local mode="$1" user="$run-$1-spender" tea="$run-$1-tea" body
    make_user "$user" 500
    body="$(order_body "$user" "$mode" "$tea" 2)"
    send POST "$order_url/orders" "$(jq -c '.spendPoints = 100' <<<"$body")"
    id="$(field .id)"
    answered "$mode: points are spent" 201 \
        '.total == 240 and .spendPoints == 100 and .payMoney == 140 and .point == 140'
    await_order "$id"
    is "$mode: and the order settles" settled "$final"
    eventually "$mode: points spent and earned" 540 points_of "$user"
    send POST "$order_url/orders" "$(jq -c '.spendPoints = 240' <<<"$body")"
    answered "$mode: all of the price in points" 201 '.payMoney == 0 and .point == 0'
    await_order "$(field .id)"
    is "$mode: settles too" settled "$final"
    eventually "$mode: points are exact" 300 points_of "$user"
    send POST "$order_url/orders" "$(jq -c '.items[0].quantity = 3 | .spendPoints = 301' <<<"$body")"
    refused "$mode: more points than the user has" 409 '.type | endswith("/insufficient-points")'
    refuses "$mode: more points than the price" 422 POST "$order_url/orders" "$(jq -c '.spendPoints = 241' <<<"$body")"
    eventually "$mode: nothing of these stays taken" "43+0" stock_of "$tea"
    eventually "$mode: neither points" 300 points_of "$user"
}

for mode in "${modes[@]}"; do
    section "Orders in mode $mode"
    make_user "$run-$mode" 100
    make_product "$run-$mode-tea" 120 50
    make_product "$run-$mode-cup" 800 20
    order_settles "$mode"
    order_out_of_stock "$mode"
    order_of_nobody "$mode"
    order_of_nothing "$mode"
    sent "$mode" || order_spends_points "$mode"
done

section "Modes mixed under one transaction"
make_user "$run-mixed" 100
make_product "$run-mixed" 50 10
send POST "$order_url/orders" "$(order_body "$run-mixed" "" "$run-mixed" 2 |
    jq -c '.mode = {stock: "at", points: "tcc"} | .spendPoints = 40')"
answered "one participant by at, the other by tcc" 201 '.mode == {stock: "at", points: "tcc"} and .payMoney == 60'
await_order "$(field .id)"
is "it settles" settled "$final"
eventually "its points are exact" 120 points_of "$run-mixed"
eventually "its stock is exact" "8+0" stock_of "$run-mixed"

send_internal POST "$order_url/transactions/outcomes" "{\"xids\": [\"$run-unknown\"]}"
answered "a transaction that nobody knows was aborted" 200 --arg xid "$run-unknown" '.outcomes[$xid] == "abort"'
refuses "asking needs the token" 401 POST "$order_url/transactions/outcomes" "{\"xids\": [\"$run-unknown\"]}"
