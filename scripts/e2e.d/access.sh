# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with `e2e`
section "Who may call what: the table of docs/security.md"

# Bodies are empty objects and names are of nothing that exists: whoever is let in changes nothing.
# knock METHOD URL [curl options…]
knock() {
    local method="$1" url="$2"
    shift 2
    if [[ "$method" == GET ]]; then call "$method" "$url" "$@"; else send "$method" "$url" '{}' "$@"; fi
}

# let_in DESCRIPTION: the last answer came from the route itself.
let_in() {
    if [[ "$code" == 401 || "$code" == 405 || "$code" == 000 || "$code" == 5* ]] ||
        [[ "$(field '.detail // ""')" == "there is nothing under this path" ]]; then
        bad "$1" "$(seen)"
    else
        ok "$1 → $code"
    fi
}

rows=0
while IFS='|' read -r _ route served callers _; do
    [[ "$route" =~ ^\ \`([A-Z]+)\ (/[^\`]*)\`\ $ ]] || continue
    method="${BASH_REMATCH[1]}" template="${BASH_REMATCH[2]}"
    for service in ${served//,/ }; do
        case "$service" in
            order) url="$order_url" action=none ;;
            stock) url="$stock_url" action=deduct ;;
            user-points) url="$points_url" action=spend ;;
            message-centre) url="$centre_url" action=none ;;
            *) bad "the table names a service" "$service" && continue ;;
        esac
        path="${template//\{action\}/$action}" path="${path//\{id\}/9223372036854775807}"
        # shellcheck disable=SC2001  # a pattern, not a text
        path="$(sed "s/{[a-zA-Z]*}/$run-nobody/" <<<"$path")"
        rows=$((rows + 1))
        what="$method $template at $service"
        knock "$method" "$url$path"
        if [[ "$callers" == " anyone"* ]]; then
            let_in "$what, by anyone"
            continue
        fi
        refused "$what without a token" 401
        knock "$method" "$url$path" -H 'Authorization: Bearer wrong-token-0123456789'
        refused "$what with a wrong one" 401
        knock "$method" "$url$path" -H "@$work/authorization"
        let_in "$what with the right one"
    done
done <"$here/../docs/security.md"
is "the table has rows" yes "$( ((rows > 20)) && printf yes || printf 'no: %s' "$rows")"
