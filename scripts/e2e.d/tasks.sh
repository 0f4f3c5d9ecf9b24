# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Tasks"

call GET "$order_url/tasks"
refused "the list needs the token" 401
call GET "$order_url/tasks" -H 'Authorization: Bearer wrong'
refused "a wrong token is refused" 401
call_internal GET "$order_url/tasks?limit=5"
answered "the list, with counts" 200 '(.tasks | type == "array" and length <= 5)
    and (.counts.pending | type) == "number" and (.counts.parked | type) == "number"'
call_internal GET "$order_url/tasks?status=pending&limit=1"
answered "by status" 200 'all(.tasks[]; .status == "pending")'
for limit in 0 abc; do
    call_internal GET "$order_url/tasks?limit=$limit"
    refused "limit $limit" 422
done
eventually "nothing stays pending" 0 pending_tasks
send POST "$order_url/tasks/1/retry" ''
refused "retrying needs the token" 401
call_internal POST "$order_url/tasks/9223372036854775807/retry"
refused "retrying a task that does not exist" 404
