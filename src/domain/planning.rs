//! Planning: projects, phases, absences and hours, kept in step with a planning tool.

pub mod sync;
