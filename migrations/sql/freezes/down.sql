-- Accounts stay frozen: another upgrade records them again.
DROP TRIGGER accounts_open_frozen_with_their_owner ON accounts;
DROP TABLE freezes;
DROP FUNCTION freezes_are_of_ops, accounts_tell_whether_they_are_frozen, accounts_open_frozen_with_their_owner;
