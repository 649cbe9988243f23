-- The freezes stay in force, and their reasons name the breaches.
DROP TRIGGER freezes_are_thawed_once ON freezes;
ALTER TABLE freezes DROP COLUMN breach_id;
CREATE TRIGGER freezes_are_thawed_once BEFORE UPDATE ON freezes FOR EACH ROW
    WHEN (OLD.thawed_at IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.user_id, NEW.reason, NEW.frozen_by, NEW.frozen_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.user_id, OLD.reason, OLD.frozen_by, OLD.frozen_at))
    EXECUTE FUNCTION refuse_change();
