-- Endpoints whose last call failed, and those that we disabled: ops look at these alone.
CREATE INDEX webhook_endpoints_in_trouble ON webhook_endpoints (id)
    WHERE (failing_since IS NOT NULL OR disabled_reason IS NOT NULL) AND deleted_at IS NULL;
