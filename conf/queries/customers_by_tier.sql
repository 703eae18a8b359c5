-- How many customers each tier has, what they bought, and how many agree to marketing now.
SELECT
  v.tier,
  v.currency,
  count(*) AS customers,
  sum(v.revenue) AS revenue,
  count_if(c.marketing_consent) AS agree_to_marketing
FROM customer_value AS v
LEFT JOIN dim_customers AS c ON c.customer_id = v.customer_id AND c.is_current
GROUP BY v.tier, v.currency
ORDER BY v.tier, v.currency
