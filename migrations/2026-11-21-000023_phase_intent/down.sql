DROP TABLE phase_intent;
