//! Provider doubles: they speak the providers' documented language over real HTTP, on loopback only.

pub mod asana;
pub mod booking;
pub mod calcom;
mod client;
mod clock;
mod gate;
mod keeper;
pub mod oauth;
pub mod published;
mod ring;
mod schema;
mod script;
mod wire;
