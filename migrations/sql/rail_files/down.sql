DROP TABLE rail_files;
