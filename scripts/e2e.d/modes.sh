# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Modes on offer"

make_user "$run-probe" 0
make_product "$run-probe" 1 1000
modes=()
for mode in $all_modes; do
    place "$run-probe" "$mode" "$run-probe" 1
    case "$code" in
        201) modes+=("$mode") ;;
        422) printf '     mode %s is not offered here\n' "$mode" ;;
        *) bad "mode $mode is offered or refused" "$(seen)" ;;
    esac
done
is "mode message is offered" yes "$([[ " ${modes[*]} " == *" message "* ]] && printf yes || printf no)"
place "$run-probe" nonsense "$run-probe" 1
refused "a mode that nobody knows" 422

offered() { [[ " ${modes[*]} " == *" $1 "* ]]; }
