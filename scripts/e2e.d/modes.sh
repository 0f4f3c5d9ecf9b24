# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Modes"

make_user "$run-modes" 0
make_product "$run-modes" 1 1000
for mode in "${modes[@]}"; do
    place "$run-modes" "$mode" "$run-modes" 1
    answered "mode $mode is offered" 201
done
place "$run-modes" "" "$run-modes" 1
answered "at is the default" 201 '.mode == "at"'
place "$run-modes" nonsense "$run-modes" 1
refused "a mode that nobody knows" 422
eventually "stock taken once for each" "$((999 - ${#modes[@]}))+0" stock_of "$run-modes"
eventually "all settle" "$((${#modes[@]} + 1))" orders_of "$run-modes" settled
