//! Asana's double: workspaces, projects, tasks, time entries and absences of its own, in memory and if wanted
//! in a file, behind the REST API, event streams and webhooks as they are documented, over real HTTP.
//!
//! What it copies on purpose are the traps: ids too large for a double, records that tell nothing nobody
//! asked for, offsets and sync tokens that do not last, a start date that is refused without its due date,
//! fields that are not on every task, a handshake while the request for it is still open, events without
//! values, budgets that count refusals. Where sources disagree it does the harder thing. It can also be told
//! to fail: see [`Rule`], [`Gate`], [`Asana::stop`].
//!
//! It listens on loopback and posts to loopback, nothing else, and so needs no guard on where it may go.

pub use crate::sandbox::gate::{Gate, Point};
pub use api::Operation;
pub use courier::{Delivery, Outcome};
pub use demo::{Demo, Office};
pub use entry::{OooEntry, TimeEntry};
pub use event::{Action, Change, Event, Noun, Ref};
pub use faults::{Fault, Rule, When};
pub use field::{CustomField, Decimal, EnumOption, Format, Held, Kind};
pub use gid::Gid;
pub use handle::Asana;
pub use oauth::{Client, Consent};
pub use people::{Member, Team, User, Workspace};
pub use person::{Person, ProjectEdit};
pub use project::{FieldSetting, Project, Section};
pub use record::Recorded;
pub use refusal::Refusal;
pub use settings::{Clock, Limits, Plan, Settings};
pub use task::{External, Membership, Moment, Subtype, Task};
pub use webhook::{Filter, Webhook};

mod api;
mod control;
mod courier;
mod demo;
mod entry;
mod event;
mod faults;
mod field;
mod gid;
mod handle;
mod inner;
mod limit;
mod oauth;
mod people;
mod person;
mod project;
mod record;
mod refusal;
mod seen;
mod settings;
mod shape;
mod show;
pub mod spec;
mod task;
#[cfg(test)]
mod tests;
mod webhook;
mod world;
mod write;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the sandbox listens on loopback addresses only")]
    NotLoopback,
    #[error("the HTTP client could not be built")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Kept(#[from] crate::sandbox::keeper::Unusable),
    #[error("the sandbox cannot listen")]
    Listen(#[from] std::io::Error),
    #[error("Asana knows no such {noun}")]
    Unknown { noun: &'static str },
    #[error("Asana refuses with {}: {}", .0.status, .0.message)]
    Refused(Refusal),
}

impl Error {
    fn http_status(&self) -> http::StatusCode {
        match self {
            Self::Unknown { .. } => http::StatusCode::NOT_FOUND,
            Self::Refused(refusal) => refusal.http_status(),
            Self::NotLoopback | Self::Client(_) | Self::Kept(_) | Self::Listen(_) => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
