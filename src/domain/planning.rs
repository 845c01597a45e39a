//! Planning: projects, phases, absences and hours of a planning tool, and what of them is changed here.

pub mod conflict;
pub mod merge;
pub mod push;
pub mod queries;
mod reading;
mod standing;
pub mod sync;
pub mod update;
pub mod user_mapping;
