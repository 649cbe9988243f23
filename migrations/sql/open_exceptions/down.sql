DROP INDEX bank_statement_lines_open;
