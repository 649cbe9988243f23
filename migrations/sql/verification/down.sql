DROP TABLE verification_positions, breaches;
DROP FUNCTION breaches_are_history;
