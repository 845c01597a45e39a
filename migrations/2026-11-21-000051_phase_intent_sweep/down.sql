DROP FUNCTION stellwerk_sweep_phase_intents();
DROP INDEX phase_intent_settled;
