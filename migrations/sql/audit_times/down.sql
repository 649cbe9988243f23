ALTER TABLE audit_log ALTER COLUMN created_at SET DEFAULT now();
