//! Appointments here and bookings at Cal.com, kept in step over real HTTP with the double.

mod clock;
mod connecting;
mod pauses;
mod push;
mod repairs;
mod runs;
mod subscriptions;
