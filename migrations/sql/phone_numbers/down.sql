-- Short numbers that are there stay.
ALTER TABLE users DROP CONSTRAINT users_phone_number_is_e164;
ALTER TABLE users ADD CONSTRAINT users_phone_number_is_e164 CHECK (phone_number ~ '^\+[1-9][0-9]{7,14}$') NOT VALID;
