-- The operations stay; what is posted after the next upgrade is chained to a new beginning that covers them.
DROP TABLE ledger_batches;
DROP FUNCTION ledger_batch_hash, ledger_batches_follow_each_other, ledger_genesis_root;
