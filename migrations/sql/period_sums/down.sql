DROP TABLE payment_sums, movement_sums;
DELETE FROM event_positions WHERE reader = 'sums';
