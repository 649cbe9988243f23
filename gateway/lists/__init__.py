"""Pages, cursors, filters and exports of every list."""
