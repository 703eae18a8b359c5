-- Items sold below the list price that was valid on the day of the sale.
SELECT f.sale_date, f.store_id, f.product_id, p.name, f.unit_price, p.list_price, f.quantity
FROM fct_sales AS f
JOIN dim_products AS p
  ON p.product_id = f.product_id
 AND p.valid_from <= CAST(f.sale_date AS timestamp)
 AND (p.valid_to IS NULL OR p.valid_to > CAST(f.sale_date AS timestamp))
WHERE f.unit_price < p.list_price
ORDER BY f.sale_date, f.transaction_id, f.line
