//! Appointments here and bookings at Cal.com, kept in step over real HTTP with the double.

<<<<<<< HEAD
mod connecting;
mod push;
mod runs;
mod subscriptions;
=======
mod convergence;
mod crash;
mod practice;
mod push;
mod traps;
>>>>>>> 7659892126467f2563e59f72a4e7c65c6421b757
