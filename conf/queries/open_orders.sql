-- Orders by status and week, with the amount that is not delivered yet.
SELECT date_trunc('week', order_date) AS week, status, count(*) AS orders, sum(amount) AS amount
FROM fct_orders
GROUP BY date_trunc('week', order_date), status
ORDER BY week, status
