-- A signature that was given out is history: with one there is no way back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM checkpoints) THEN
        RAISE EXCEPTION 'there are signed checkpoints';
    END IF;
END
$$;
DROP TABLE checkpoints, receipt_keys;
DROP FUNCTION checkpoints_follow_each_other;
