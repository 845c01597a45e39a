//! From a planning tool that was just connected to one that is in step, and its webhooks.

mod deliveries;
mod ends;
mod handshake;
mod lost_fields;
mod mapping;
mod quiet;
mod steps;
mod takeover;
mod tries;
mod webhooks;
