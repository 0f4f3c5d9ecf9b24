# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Health and metrics"

for service in "order $order_url" "stock $stock_url" "user-points $points_url" "message-centre $centre_url"; do
    name="${service%% *}" url="${service#* }"
    call GET "$url/health/live"
    answered "$name is live" 200
    call GET "$url/health/ready"
    answered "$name is ready, and says of what" 200 '.status and .checks.postgres == "up" and .checks.rabbitmq == "up"
        and all(.checks[]; . == "up" or . == "down")'
    [[ "$name" == order || "$name" == message-centre ]] || answered "$name shows redis" 200 '.checks | has("redis")'
    call GET "$url/metrics"
    is "$name has metrics" "200 text/plain" "$code ${type%%;*}"
    is "$name's metrics are in the Prometheus format" "" "$(grep -vE \
        '^$|^#|^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+]?([0-9.]+([eE][-+]?[0-9]+)?|Inf|NaN)( [0-9]+)?$' "$work/body" |
        head -n 3)"
    is "$name's metrics name their types" yes "$(grep -q '^# TYPE [a-z]' "$work/body" && printf yes || printf no)"
    call GET "$url/openapi.json"
    answered "$name describes its routes" 200 '.openapi == "3.1.0" and .info.title == "'"$name"'"
        and (.paths | has("/openapi.json") and has("/doctor"))'
done
