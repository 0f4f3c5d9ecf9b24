# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "The message centre"

# One that no queue takes, so that it stays.
centre_message() {
    jq -nc --arg id "$1" --arg artist "${2:-order}" '{messages: [{id: $id, msg: "{}", routingKey: "nobody",
        exchange: "ex_buying_addpointurse", paramMap: {order: 7}, artist: $artist}]}'
}
ids() { jq -nc '{ids: $ARGS.positional, caller: "order", reason: "e2e"}' --args "$@"; }

one="$run-one" two="$run-two"
send_internal POST "$centre_url/prepare" "$(centre_message "$one")"
answered "a message is prepared" 200 --arg id "$one" '.results[$id] == "prepared"'
send_internal POST "$centre_url/prepare" "$(centre_message "$one")"
answered "and again, which changes nothing" 200 --arg id "$one" '.results[$id] == "known"'
send_internal POST "$centre_url/prepare" "$(centre_message "$one" | jq -c '.messages[0].msg = "other"')"
answered "with other content it differs" 200 --arg id "$one" '.results[$id] == "differs"'
send_internal POST "$centre_url/prepare" "$(centre_message "$two" http://evil.example)"
refused "a producer that nobody knows" 422
send_internal POST "$centre_url/confirm" "$(ids "$one" "$two")"
answered "it is confirmed, another is unknown" 200 --arg one "$one" --arg two "$two" \
    '.results == {($one): "confirmed", ($two): "unknown"}'
send_internal POST "$centre_url/send" "$(ids "$one")"
answered "it is due at once" 202
call_internal GET "$centre_url/messages/$one"
answered "it is shown" 200 --arg id "$one" '.id == $id and .artist == "order" and (.status | IN("confirmed", "sent"))
    and (.checks | type == "number") and (.sends | type == "number") and .exchange == "ex_buying_addpointurse"'
for _ in 1 2; do
    send_internal POST "$centre_url/ack" "{\"acks\": [{\"id\": \"$one\", \"artist\": \"stock\", \"status\": \"finished\"}]}"
    answered "it is acknowledged" 200 --arg id "$one" '.results[$id] == "acknowledged"'
done
call_internal GET "$centre_url/messages/$one"
answered "and archived" 200 '.status == "finished"'
send_internal POST "$centre_url/ack" "{\"acks\": [{\"id\": \"$two\", \"artist\": \"stock\", \"status\": \"finished\"}]}"
answered "nobody else is" 200 --arg id "$two" '.results[$id] == "unknown"'
send_internal POST "$centre_url/prepare" "$(centre_message "$two")"
answered "another is prepared" 200 --arg id "$two" '.results[$id] == "prepared"'
send_internal POST "$centre_url/discard" "$(ids "$two")"
answered "and thrown away" 200
call_internal GET "$centre_url/messages?status=discarded&limit=5"
answered "it is listed, with counts" 200 --arg id "$two" 'any(.messages[]; .id == $id and .status == "discarded"
    and .errormsg == "e2e") and (.counts.prepared | type == "number")'
send_internal POST "$centre_url/confirm" "$(ids "$two")"
answered "a confirmation comes too late" 200 --arg id "$two" '.results[$id] == "discarded"'
send_internal POST "$order_url/messages/check" "{\"messages\": [{\"id\": \"$run\", \"paramMap\": {}}]}"
answered "order says nothing of a message that it does not know" 200 --arg id "$run" '.results[$id] == "undecided"'
