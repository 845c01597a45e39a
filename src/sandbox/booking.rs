//! The booking tool's double. It keeps patients and appointments of its own, in memory, and tells one
//! endpoint of stellwerk about every change: signed, over real HTTP, repeated until it is kept.
//!
//! It speaks plain HTTP to loopback and nothing else, and so needs no guard on where it may go.

pub use courier::{Delivered, Pause};
pub use records::{Appointment, AppointmentData, Patient, PatientData, Status, ToolEvent};
pub use tool::{BookingTool, Faults, Sent, Ticked};

mod control;
mod courier;
mod invent;
mod records;
#[cfg(test)]
mod tests;
mod tool;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the sandbox talks plain HTTP to loopback addresses only")]
    NotLoopback,
    #[error("the booking tool signs legacy or standard")]
    NotItsScheme,
    #[error(transparent)]
    Secret(#[from] crate::provider::signature::BadSecret),
    #[error("the HTTP client could not be built")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the booking tool knows no such {noun}")]
    Unknown { noun: &'static str },
    #[error("the booking tool is full: it keeps at most {most} records of a kind")]
    Full { most: usize },
    #[error("the control surface stopped")]
    Serve(#[from] std::io::Error),
}

impl Error {
    fn http_status(&self) -> http::StatusCode {
        match self {
            Self::Unknown { .. } => http::StatusCode::NOT_FOUND,
            Self::Full { .. } => http::StatusCode::CONFLICT,
            Self::NotLoopback | Self::NotItsScheme | Self::Secret(_) | Self::Client(_) | Self::Serve(_) => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}
