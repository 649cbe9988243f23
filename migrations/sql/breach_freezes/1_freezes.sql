-- A worker freezes the wallets that a breach of the books is about, if a setting lets it: each once for the breach.
-- The table is small, and a nullable column without a default is added without rewriting it.
ALTER TABLE freezes
    ADD COLUMN breach_id bigint REFERENCES breaches,
    ADD CONSTRAINT freezes_for_breaches_are_of_wallets_by_nobody
        CHECK (breach_id IS NULL OR (account_id IS NOT NULL AND frozen_by IS NULL));
CREATE UNIQUE INDEX freezes_once_for_a_breach ON freezes (breach_id, account_id) WHERE breach_id IS NOT NULL;
CREATE INDEX freezes_for_breaches_in_force ON freezes (breach_id) WHERE breach_id IS NOT NULL AND thawed_at IS NULL;
COMMENT ON COLUMN freezes.breach_id IS 'for which a worker froze the wallet; null: ops did, or the operator in a shell';

DROP TRIGGER freezes_are_thawed_once ON freezes;
CREATE TRIGGER freezes_are_thawed_once BEFORE UPDATE ON freezes FOR EACH ROW
    WHEN (OLD.thawed_at IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.user_id, NEW.reason, NEW.frozen_by, NEW.frozen_at, NEW.breach_id)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.user_id, OLD.reason, OLD.frozen_by, OLD.frozen_at, OLD.breach_id))
    EXECUTE FUNCTION refuse_change();

GRANT INSERT (breach_id) ON freezes TO payments_worker;
