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
