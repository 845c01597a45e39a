//! Planning: projects, phases, absences and hours of a planning tool, and what of them is changed here.

pub mod merge;
pub mod told;
