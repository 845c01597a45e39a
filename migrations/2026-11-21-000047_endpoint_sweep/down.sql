DROP FUNCTION stellwerk_sweep_endpoints();
