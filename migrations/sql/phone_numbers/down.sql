-- Short numbers that are there stay: only beside them is the old constraint one for new numbers alone.
ALTER TABLE users DROP CONSTRAINT users_phone_number_is_e164;
ALTER TABLE users ADD CONSTRAINT users_phone_number_is_e164 CHECK (phone_number ~ '^\+[1-9][0-9]{7,14}$') NOT VALID;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM users WHERE phone_number !~ '^\+[1-9][0-9]{7,14}$') THEN
        ALTER TABLE users VALIDATE CONSTRAINT users_phone_number_is_e164;
    END IF;
END
$$;
