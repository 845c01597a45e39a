//! Planning: what a tenant's planning tool holds, and what of it was changed here. A file per noun.

pub mod absence;
pub mod bulk;
pub mod conflict;
pub mod field;
pub mod gone;
pub mod health;
pub mod intent;
pub mod missing;
pub mod phase;
pub mod phase_change;
pub mod project;
pub mod project_cursor;
pub mod reading;
pub mod settings;
pub mod time_entry;
pub mod user;
