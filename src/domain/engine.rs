//! What keeps appointments and providers in step.

pub mod lineage;
pub mod provider_call;
pub mod push;
