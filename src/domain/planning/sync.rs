//! Reading a planning tool: completely, by its events, and by what its webhooks tell.

mod dates;
mod estimate;
mod guard;
