//! What the outside services say, and how to tell that it was them.

pub mod asana;
pub mod booking_tool;
pub mod calcom;
pub mod call;
pub mod catalog;
pub mod deployment;
mod fields;
mod names;
pub mod oauth;
#[cfg(test)]
mod scripted;
pub mod signature;
