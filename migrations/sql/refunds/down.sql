DROP TRIGGER payments_count_what_they_give_back ON payments;
DROP TABLE refund_totals;
DROP FUNCTION payments_count_what_they_give_back;
