DROP FUNCTION claim_due;
