DROP TABLE rail_file_contents;
