//! What the outside services say, and how to tell that it was them.

pub mod booking_tool;
pub mod calcom;
pub mod catalog;
pub mod signature;
