DROP TABLE batch_items, batches, selections;
DROP FUNCTION selections_are_of_ops, batches_use_their_own_selection, batches_list_their_payments,
    batches_are_stopped_by_ops;
