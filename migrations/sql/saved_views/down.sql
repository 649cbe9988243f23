DROP TABLE saved_views;
DROP FUNCTION saved_views_are_of_ops, saved_views_are_few;
