//! What keeps an appointment here and its record at a provider the same, from either side.

pub mod lineage;
pub mod provider_call;
pub mod push;
pub mod refresh;
