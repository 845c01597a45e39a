//! Connecting by OAuth 2.0.
