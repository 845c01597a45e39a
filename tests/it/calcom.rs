//! Appointments here and bookings at Cal.com, kept in step over real HTTP with the double.

mod clock;
mod connecting;
mod convergence;
mod crash;
mod inbound;
mod lengths;
mod pauses;
mod practice;
mod push;
mod repairs;
mod runs;
mod subscriptions;
mod traps;
mod unread;
