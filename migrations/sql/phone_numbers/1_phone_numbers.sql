-- E.164 has 15 digits at most; the shortest numbers that can be dialled, such as those of Niue and Tokelau, have 6 or 7.
ALTER TABLE users DROP CONSTRAINT users_phone_number_is_e164;
ALTER TABLE users ADD CONSTRAINT users_phone_number_is_e164 CHECK (phone_number ~ '^\+[1-9][0-9]{5,14}$');
