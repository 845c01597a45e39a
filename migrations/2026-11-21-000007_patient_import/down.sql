DROP FUNCTION stellwerk_sweep_imports();
DROP TABLE patient_import_row;
DROP TABLE patient_import_chunk;
DROP TABLE patient_import;
