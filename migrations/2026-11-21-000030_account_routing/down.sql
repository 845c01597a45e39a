DROP FUNCTION stellwerk_resolve_account(text, text[]);
