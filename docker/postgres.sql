-- Run once, on an empty volume, by the entry point of the postgres image: a database and a role for each service.
-- A role owns its database and can enter no other.

\set order_password `cat /run/settle/shop_order`
\set stock_password `cat /run/settle/shop_stock`
\set points_password `cat /run/settle/shop_points`
\set messages_password `cat /run/settle/shop_messages`

-- The superuser works from inside the container only, without a password: over the network nobody can be it.
ALTER ROLE postgres PASSWORD NULL;

REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;

CREATE ROLE shop_order LOGIN PASSWORD :'order_password';
CREATE DATABASE shop_order OWNER shop_order;
REVOKE CONNECT, TEMPORARY ON DATABASE shop_order FROM PUBLIC;

CREATE ROLE shop_stock LOGIN PASSWORD :'stock_password';
CREATE DATABASE shop_stock OWNER shop_stock;
REVOKE CONNECT, TEMPORARY ON DATABASE shop_stock FROM PUBLIC;

CREATE ROLE shop_points LOGIN PASSWORD :'points_password';
CREATE DATABASE shop_points OWNER shop_points;
REVOKE CONNECT, TEMPORARY ON DATABASE shop_points FROM PUBLIC;

CREATE ROLE shop_messages LOGIN PASSWORD :'messages_password';
CREATE DATABASE shop_messages OWNER shop_messages;
REVOKE CONNECT, TEMPORARY ON DATABASE shop_messages FROM PUBLIC;
