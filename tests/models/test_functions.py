"""Whatever of PostgreSQL's own may change something, and our roles may call: each is here, with why it may be left."""

from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from embedded.home import CHECKOUT
from embedded.postgres import SUPERUSER, Postgres
from models import preflight
from models.session import transaction
from tests.builders import new_id

LEFT = {
    "time, chance and waiting: they change nothing but the session's seed": """
        clock_timestamp timeofday gen_random_uuid random random_normal setseed array_sample array_shuffle
        pg_sleep pg_sleep_for pg_sleep_until uuidv4 uuidv7""",
    "advisory locks, which bound who posts, and wake whom": """
        pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_advisory_unlock
        pg_advisory_unlock_all pg_advisory_unlock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
        pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_notify pg_notification_queue_usage""",
    "sequences: the sequence's own right is asked for, and no role has one":
        "nextval setval currval lastval pg_sequence_last_value",
    "the session's own settings, snapshot and counters": """
        set_config current_query pg_export_snapshot pg_stat_clear_snapshot pg_stat_force_next_flush""",
    "large objects are read, if one could be created":
        "lo_close lo_get lo_lseek lo_lseek64 lo_tell lo_tell64 loread",
    "they run a query as their caller, who needs its rights": """
        cursor_to_xml cursor_to_xmlschema query_to_xml query_to_xmlschema query_to_xml_and_xmlschema ts_rewrite
        ts_stat""",
    "sessions of the same role alone": "pg_cancel_backend pg_terminate_backend",
    "replication: the role must have REPLICATION, ours have not": """
        pg_create_logical_replication_slot pg_create_physical_replication_slot pg_copy_logical_replication_slot
        pg_copy_physical_replication_slot pg_drop_replication_slot pg_replication_slot_advance
        pg_sync_replication_slots pg_logical_slot_get_changes pg_logical_slot_get_binary_changes
        pg_logical_slot_peek_changes pg_logical_slot_peek_binary_changes""",
    "an index's owner alone":
        "brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list",
    "a superuser alone, or a script that makes an extension": """
        pg_import_system_collations pg_nextoid pg_stop_making_pinned_objects pg_extension_config_dump""",
    "pg_upgrade alone: the server must have been started for it": """
        binary_upgrade_add_sub_rel_state binary_upgrade_create_empty_extension
        binary_upgrade_logical_slot_has_caught_up binary_upgrade_replorigin_advance binary_upgrade_set_missing_value
        binary_upgrade_set_next_array_pg_type_oid binary_upgrade_set_next_heap_pg_class_oid
        binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid
        binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid
        binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid
        binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid
        binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid
        binary_upgrade_set_next_toast_relfilenode binary_upgrade_set_record_init_privs""",
    "no query can call them: triggers, and handlers of languages, indexes, samples and dictionaries": """
        RI_FKey_cascade_del RI_FKey_cascade_upd RI_FKey_check_ins RI_FKey_check_upd RI_FKey_noaction_del
        RI_FKey_noaction_upd RI_FKey_restrict_del RI_FKey_restrict_upd RI_FKey_setdefault_del RI_FKey_setdefault_upd
        RI_FKey_setnull_del RI_FKey_setnull_upd suppress_redundant_updates_trigger tsvector_update_trigger
        tsvector_update_trigger_column unique_key_recheck plpgsql_call_handler plpgsql_inline_handler
        plpgsql_validator amvalidate bthandler brinhandler ginhandler gisthandler hashhandler spghandler
        heap_tableam_handler bernoulli system dsnowball_init dsnowball_lexize""",
    "they read: the state of the server, of its log of changes and of transactions": """
        currtid2 pg_available_wal_summaries pg_blocking_pids pg_collation_actual_version pg_control_checkpoint
        pg_control_init pg_control_recovery pg_control_system pg_current_wal_flush_lsn pg_current_wal_insert_lsn
        pg_current_wal_lsn pg_database_collation_actual_version pg_database_size pg_get_multixact_members
        pg_get_wait_events pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_get_wal_summarizer_state
        pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_isolation_test_session_is_blocked
        pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
        pg_last_xact_replay_timestamp pg_lock_status pg_partition_ancestors pg_partition_tree pg_prepared_xact
        pg_relation_size pg_safe_snapshot_blocking_pids pg_stat_get_io pg_stat_get_recovery_prefetch
        pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
        pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
        pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated
        pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
        pg_stat_get_xact_tuples_updated pg_table_size pg_tablespace_size pg_total_relation_size
        pg_wal_summary_contents pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status
        txid_status""",
}  # fmt: skip
"""A newer PostgreSQL's function that is not here makes the test red: put it here, or take it back from PUBLIC."""

EXECUTABLE = """
SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'
AND has_function_privilege(%s, oid, 'EXECUTE')"""
WATCHING = CHECKOUT / "migrations" / "sql" / "watching"


@pytest.mark.parametrize("role", ["payments_worker", "payments_gateway"])
def test_executable_functions_are_listed(shared_world, role: str) -> None:
    with transaction(shared_world.owner) as connection:
        executable = set(connection.exec_driver_sql(EXECUTABLE, (role,)).scalars())
    groups = {why: set(names.split()) for why, names in LEFT.items()}
    assert executable - set().union(*groups.values()) == set()
    assert [why for why, names in groups.items() if not names & executable] == []


def test_revoked_public_rights_are_restored_by_downgrade(postgres: Postgres) -> None:
    """As a superuser, in a database from which no right was revoked."""
    name = f"plain_{new_id().replace('-', '')}"
    postgres.create_database(name, "template0")
    engine = create_engine(postgres.url(name, SUPERUSER), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def everybodys() -> set[str]:
            return set(connection.exec_driver_sql(EXECUTABLE, ("public",)).scalars())

        def run(step: Path) -> None:
            connection.connection.cursor().execute(step.read_text())

        before = everybodys()
        assert preflight.publicly_writable(connection)
        run(WATCHING / "2_public.sql")
        assert before - everybodys() == set(preflight.PUBLIC_WRITE_FUNCTIONS) - {"lo_import", "lo_export"}
        assert not preflight.publicly_writable(connection)
        run(WATCHING / "down_public.sql")
        assert everybodys() == before
    postgres.drop_database(name)
