-- A prepared statement is planned once per connection, whatever its parameters are: see models/prepared_statement.py. The roles belong to the
-- whole server, where other databases may count on this, so going back leaves it as it is.
ALTER ROLE payments_worker SET plan_cache_mode = 'force_generic_plan';
ALTER ROLE payments_gateway SET plan_cache_mode = 'force_generic_plan';
