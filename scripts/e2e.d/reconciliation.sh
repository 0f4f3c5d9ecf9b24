# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Reconciliation"

# reconciled: whether the last run is over.
reconciled() {
    call_internal GET "$order_url/reconciliation"
    field 'if .endedAt == null then "running" else "over" end'
}

nothing='{"finding": "00000000-0000-7000-8000-000000000000", "reason": "e2e"}'
refuses "beginning needs the token" 401 POST "$order_url/reconciliation" '{"repair": false}'
refuses "reading needs the token" 401 GET "$order_url/reconciliation"
refuses "applying needs the token" 401 POST "$order_url/reconciliation/apply" "$nothing"
send_internal POST "$order_url/reconciliation" '{"repair": false}'
answered "a run begins, or is under way" 202 '.status == "begun" or .status == "running"'
eventually "it comes to its end" over reconciled
call_internal GET "$order_url/reconciliation"
answered "what it found" 200 '(.orders | type) == "number" and (.findings | type) == "array"
    and (.clean | type) == "boolean" and .error == null'
call_internal GET "$order_url/reconciliation" -H 'Accept: text/plain'
like "the same as a table" 'reconciliation *orders compared: *' "$(cat "$work/body")"
as=internal refuses "applying what is no finding" 422 POST "$order_url/reconciliation/apply" '{"finding": "x", "reason": "y"}'
as=internal refuses "applying what nobody proposed" 404 POST "$order_url/reconciliation/apply" "$nothing"
for url in "$stock_url" "$points_url"; do
    refuses "a ledger needs the token" 401 GET "$url/ledger"
    call_internal GET "$url/ledger/balances"
    answered "balances are the sums of their ledger" 200 '.accounts > 0 and (.differences | length) == 0'
done
