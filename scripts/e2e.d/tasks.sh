# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Tasks"

refuses "the list needs the token" 401 GET "$order_url/tasks"
call GET "$order_url/tasks" -H 'Authorization: Bearer wrong'
refused "a wrong token is refused" 401
call_internal GET "$order_url/tasks?limit=5"
answered "the list, with counts" 200 '(.tasks | type == "array" and length <= 5)
    and (.counts.pending | type) == "number" and (.counts.parked | type) == "number"'
call_internal GET "$order_url/tasks?status=pending&limit=1"
answered "by status" 200 'all(.tasks[]; .status == "pending")'
for limit in 0 abc; do as=internal refuses "limit $limit" 422 GET "$order_url/tasks?limit=$limit"; done
eventually "nothing stays pending" 0 pending_tasks
refuses "retrying needs the token" 401 POST "$order_url/tasks/1/retry" ''
as=internal refuses "retrying a task that does not exist" 404 POST "$order_url/tasks/9223372036854775807/retry"

section "Tasks that are held"

held_type='{"taskType": "addpoint"}'
for route in tasks/pause tasks/resume; do refuses "$route needs the token" 401 POST "$order_url/$route" "$held_type"; done
reason='{"reason": "e2e"}'
refuses "discarding one needs the token" 401 POST "$order_url/tasks/1/discard" "$reason"
refuses "discarding many needs the token" 401 POST "$order_url/tasks/discard" '{"status": "parked", "reason": "e2e"}'
as=internal refuses "discarding a task that does not exist" 404 POST "$order_url/tasks/9223372036854775807/discard" "$reason"
as=internal refuses "discarding without a reason" 422 POST "$order_url/tasks/1/discard" '{"reason": ""}'
as=internal refuses "discarding what is archived" 422 POST "$order_url/tasks/discard" '{"status": "finished", "reason": "e2e"}'
as=internal refuses "discarding what nobody here follows" 409 POST "$order_url/tasks/discard" \
    '{"status": "parked", "taskType": "e2e-nothing", "reason": "e2e"}'
send_internal POST "$order_url/tasks/discard" '{"status": "waiting", "reason": "e2e"}'
answered "discarding many, of which there are none" 200 '.discarded == 0 and .hasMore == false'
as=internal refuses "pausing what nobody sends" 404 POST "$order_url/tasks/pause" '{"taskType": "e2e-nothing"}'
as=internal refuses "resuming what is not paused" 404 POST "$order_url/tasks/resume" "$held_type"
send_internal POST "$order_url/tasks/pause" '{"taskType": "refundpoint", "reason": "e2e"}'
answered "a type is paused" 200 'any(.paused[]; .taskType == "refundpoint" and .reason == "e2e")'
call_internal GET "$order_url/tasks?taskType=refundpoint&limit=5"
answered "the list says so, and lists that type alone" 200 'all(.tasks[]; .taskType == "refundpoint")
    and any(.paused[]; .taskType == "refundpoint") and (.counts.heldLines | type) == "number"'
send_internal POST "$order_url/tasks/resume" '{"taskType": "refundpoint"}'
answered "and resumed" 200 'all(.paused[]; .taskType != "refundpoint")'
