-- Net revenue of each store by month and currency, with its share of the month's total.
SELECT
  date_trunc('month', sale_date) AS month,
  store_id,
  currency,
  sum(net_revenue) AS net_revenue,
  CAST(sum(net_revenue) AS double)
    / nullif(CAST(sum(sum(net_revenue)) OVER (PARTITION BY date_trunc('month', sale_date), currency) AS double), 0) AS share
FROM daily_store_sales
GROUP BY date_trunc('month', sale_date), store_id, currency
ORDER BY month, currency, net_revenue DESC, store_id
