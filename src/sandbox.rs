//! Provider doubles: they speak the providers' documented language over real HTTP, on loopback only.

pub mod booking;
pub mod calcom;
