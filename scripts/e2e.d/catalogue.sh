# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # jq expands; variables are shared with `e2e`
section "Users and products"

user="$run-catalogue"
refuses "a user who does not exist" 404 GET "$points_url/users/$user"
refuses "creating a user needs the token" 401 PUT "$points_url/users/$user" '{"points": 5}'
sed 's/$/x/' "$work/authorization" >"$work/longer"
sed 's/Bearer/Basic/' "$work/authorization" >"$work/basic"
refuses "a wrong token is refused" 401 PUT "$points_url/users/$user" '{"points": 5}' -H 'Authorization: Bearer wrong'
refuses "a longer token is refused" 401 PUT "$points_url/users/$user" '{"points": 5}' -H "@$work/longer"
refuses "another scheme is refused" 401 PUT "$points_url/users/$user" '{"points": 5}' -H "@$work/basic"
for body in '{"points": -1}' '{"points": "5"}' '{"points": 1.5}' '{"points": 9223372036854775808}' '{}' '[]'; do
    as=internal refuses "user with $body" 422 PUT "$points_url/users/$user" "$body"
done
as=internal refuses "user with malformed JSON" 400 PUT "$points_url/users/$user" '{"points": 5'
refuses "after all these the user still does not exist" 404 GET "$points_url/users/$user"
send_internal PUT "$points_url/users/$user" '{"points": 5}'
answered "a user is created" 201
send_internal PUT "$points_url/users/$user" '{"points": 70}'
answered "again: 200" 200
call GET "$points_url/users/$user"
answered "and the balance is unchanged" 200 --arg user "$user" '. == {userName: $user, points: 5}'
call GET "$points_url/users/$user/point-log"
answered "the point log is empty" 200 '.entries == []'

sku="$run-catalogue"
product='{"title": "Blue cup", "unitPrice": 800, "available": 7}'
refuses "a product that does not exist" 404 GET "$stock_url/products/$sku"
refuses "creating a product needs the token" 401 PUT "$stock_url/products/$sku" "$product"
for body in '{"title": "a", "unitPrice": -1, "available": 1}' '{"title": "a", "unitPrice": 1, "available": -1}' \
    '{"title": "a", "unitPrice": "1", "available": 1}' '{"title": "a", "available": 1}' \
    '{"unitPrice": 1, "available": 1}' '{"title": 5, "unitPrice": 1, "available": 1}' \
    '{"title": "a", "unitPrice": 99999999999999999999, "available": 1}' \
    '{"title": "a\u0000b", "unitPrice": 1, "available": 1}'; do
    as=internal refuses "product with $body" 422 PUT "$stock_url/products/$sku" "$body"
done
refuses "after all these the product still does not exist" 404 GET "$stock_url/products/$sku"
send_internal PUT "$stock_url/products/$sku" "$product"
answered "a product is created" 201
send_internal PUT "$stock_url/products/$sku" "$product"
answered "again: 200" 200
call GET "$stock_url/products/$sku"
answered "the product" 200 --arg sku "$sku" \
    '. == {sku: $sku, title: "Blue cup", unitPrice: 800, available: 7, reserved: 0}'
call GET "$stock_url/products"
answered "the list of products" 200 '(.products // .) | type == "array" and length > 0'
