//! Appointments here and bookings at Cal.com, kept in step over real HTTP with the double.

mod convergence;
mod crash;
mod practice;
mod push;
mod traps;
