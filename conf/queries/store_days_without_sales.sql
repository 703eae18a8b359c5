-- Stores that took goods back on a day on which they sold nothing.
SELECT d.sale_date, d.store_id, s.name, s.city, d.returned, d.currency
FROM daily_store_sales AS d
LEFT JOIN dim_stores AS s ON s.store_id = d.store_id
WHERE d.transactions = 0
ORDER BY d.sale_date, d.store_id, d.currency
