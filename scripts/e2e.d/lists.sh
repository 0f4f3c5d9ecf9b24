# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Lists"

user="$run-lists" sku="$run-lists"
make_user "$user" 0
make_product "$sku" 1 1000
placed=()
for i in {1..7}; do
    place "$user" message "$sku" "$i"
    placed=("$id" "${placed[@]}")
done

listed=() next="" pages=0
while ((pages < 10)); do
    call GET "$order_url/orders?userName=$user&limit=3${next:+&before=$(escaped "$next")}"
    pages=$((pages + 1))
    mapfile -t -O "${#listed[@]}" listed < <(field '.orders[].id')
    next="$(field '.next // ""')"
    [[ -n "$next" ]] || break
done
is "all orders of a user in pages of three, newest first, none twice" "${placed[*]}" "${listed[*]}"
is "and no more pages than that takes" 3 "$pages"

call GET "$order_url/orders?userName=$user"
answered "without a limit" 200 '(.orders | length) == 7 and .next == null'
call GET "$order_url/orders?limit=1"
answered "of everybody" 200 '(.orders | length) == 1 and (.next | type) != "object"'
call GET "$order_url/orders?userName=$run-nobody-at-all"
answered "of nobody" 200 '.orders == [] and .next == null'
eventually "by status: all are settled in the end" 7 orders_of "$user" settled
is "by status: none is cancelled" 0 "$(orders_of "$user" cancelled)"
for limit in 0 201 -1 abc 99999999999999999999; do refuses "limit $limit" 422 GET "$order_url/orders?limit=$limit"; done
refuses "an order whose id is no id" 404 GET "$order_url/orders/$run"
refuses "an order that does not exist" 404 GET "$order_url/orders/01890a5d-ac96-774b-bcce-b302099a8057"

call GET "$points_url/users/$user/point-log?limit=2"
answered "the point log, newest first" 200 --arg user "$user" '(.entries | length) == 2
    and all(.entries[]; .userName == $user and (.orderId | type) == "string" and (.point | type) == "number")
    and .entries[0].createdAt >= .entries[1].createdAt'
for limit in 0 201 abc; do
    refuses "point log with limit $limit" 422 GET "$points_url/users/$user/point-log?limit=$limit"
done
refuses "the point log of nobody" 404 GET "$points_url/users/$run-nobody-at-all/point-log"
