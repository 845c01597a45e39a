//! Appointments here and bookings at Cal.com, kept in step over real HTTP with the double.

mod connecting;
mod convergence;
mod crash;
mod inbound;
mod practice;
mod push;
mod runs;
mod subscriptions;
mod traps;
