-- The ten products with the most revenue in each currency.
SELECT currency, position, product_id, name, category, units, revenue
FROM (
  SELECT *, row_number() OVER (PARTITION BY currency ORDER BY revenue DESC, product_id) AS position
  FROM product_performance
) AS ranked
WHERE position <= 10
ORDER BY currency, position
