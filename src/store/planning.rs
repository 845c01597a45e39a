//! Planning: what a tenant's planning tool holds, and what of it was changed here. A file per noun.

pub mod absence;
pub mod conflict;
pub mod field;
pub mod intent;
pub mod phase;
pub mod phase_change;
pub mod project;
pub mod settings;
pub mod time_entry;
pub mod user;
