# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Points that stock has taken"

user="$run-tree" sku="$run-tree" other="$run-tree-other"
make_user "$user" 1000
make_product "$sku" 100 100
make_product "$other" 10 100

# place_tree STOCK POINTS VIA SPEND SKU QUANTITY …: sets `id` too.
place_tree() {
    send POST "$order_url/orders" "$(order_body "$user" "" "${@:5}" | jq -c \
        --arg stock "$1" --arg points "$2" --argjson via "$3" --argjson spend "$4" \
        '. + {mode: {stock: $stock, points: $points, pointsVia: $via}, spendPoints: $spend}')"
    id="$(field .id)"
}

kinds=(at tcc xa saga)
left=1000 taken=0
for stock in "${kinds[@]}"; do
    for points in "${kinds[@]}"; do
        place_tree "$stock" "$points" '"stock"' 20 "$sku" 1 "$other" 2
        answered "$stock, then $points: an order is placed" 201 --arg stock "$stock" --arg points "$points" \
            '.mode == {stock: $stock, points: $points, pointsVia: "stock"} and .spendPoints == 20 and .payMoney == 100'
        await_order "$id"
        is "$stock, then $points: it settles" settled "$final"
        left=$((left - 20 + 100)) taken=$((taken + 1))
    done
done
answered "the mode is kept as it was given" 200 '.mode == {stock: "saga", points: "saga", pointsVia: "stock"}'
eventually "the points are exact" "$left" points_of "$user"
eventually "so is the stock" "$((100 - taken))+0" stock_of "$sku"
eventually "of each item" "$((100 - 2 * taken))+0" stock_of "$other"

for stock in "${kinds[@]}"; do
    place_tree "$stock" tcc '"stock"' 5000 "$sku" 60
    refused "$stock: more points than there are" 409 '.type | endswith("/insufficient-points")'
    is "$stock: its stock is back when the client hears of it" "$((100 - taken))+0" "$(stock_of "$sku")"
    place_tree "$stock" tcc '"stock"' 10 "$sku" 1 "$other" 1000
    refused "$stock: more stock than there is" 409 '.type | endswith("/insufficient-stock")'
done
is "the points are as they were" "$left" "$(points_of "$user")"

place_tree at tcc '"order"' 0 "$sku" 1
answered "order may be named, too" 201 '.mode == {stock: "at", points: "tcc"}'
place_tree at tcc '"stock"' 0 "$sku" 1
answered "without points stock calls nobody" 201 '.mode.pointsVia == "stock"'
for via in '"points"' '""' 1 '{}'; do
    place_tree at tcc "$via" 0 "$sku" 1
    refused "by $via" 422
done
