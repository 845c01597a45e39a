//! What keeps an appointment here and its record at a provider the same, from either side.

pub mod lineage;
mod pages;
pub mod provider_call;
pub mod push;
pub mod reconcile;
pub(super) mod record;
pub mod refresh;
pub mod schedule;
pub mod subscription;
pub mod sync_run;
