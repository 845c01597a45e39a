//! Event types, to look at.

use serde_json::Value;

use super::call::{Answer, Call};
use crate::sandbox::calcom::event_type::EventType;
use crate::sandbox::calcom::inner::Inner;
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::world::World;

/// A user's public ones, or all of the caller's own.
pub(super) fn list(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let world = inner.world();
    let caller = call.key.map(|key| key.user_id);
    let owner = match call.asked("username") {
        Some(username) => world.users.iter().find(|user| user.username == username).map(|user| user.id),
        None => caller,
    };
    let slug = call.asked("eventSlug");
    let is_shown = |one: &&EventType| {
        Some(one.owner_id) == owner
            && (caller == owner || !one.options.hidden)
            && slug.is_none_or(|slug| one.slug == slug)
    };
    let found = world.event_types.iter().filter(is_shown);
    let found: Result<Vec<Value>, Refusal> =
        found.map(|one| Ok(one.shown(world.owner(one.owner_id)?))).collect();
    Ok(Answer::ok(Value::Array(found?)))
}

/// The caller's own only; one that is somebody else's is not there.
pub(super) fn get(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let world = inner.world();
    let found = own(&world, call)?;
    Ok(Answer::ok(found.shown(world.owner(found.owner_id)?)))
}

pub(super) fn own<'a>(world: &'a World, call: &Call) -> Result<&'a EventType, Refusal> {
    let id = call.argument(0);
    let unknown = || Refusal::not_found(format!("Event type with id {id} not found"));
    let found = id.parse().ok().and_then(|id| world.event_type(id)).ok_or_else(unknown)?;
    if found.owner_id == call.user_id()? { Ok(found) } else { Err(unknown()) }
}
